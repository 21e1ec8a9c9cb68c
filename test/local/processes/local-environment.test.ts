import { expect, test } from '@jest/globals';
import { localEnvironment } from '../../../local/processes/local-environment.ts';

const SETTINGS = { AzureWebJobsStorage: 'local', IOT_ENDPOINT: 'http://127.0.0.1:7080' };

test.each([
  'BERTH_STATE',
  'BERTH_STATE__tableServiceUri',
  'AzureWebJobsStorage__accountName',
  'BERTH_DPS__hostName',
  'BERTH_EXPORTS__blobServiceUri',
  'TWIN_EVENTS__fullyQualifiedNamespace',
])('a process of the local stack does not get %s of the shell', (name) => {
  expect(localEnvironment(SETTINGS, { [name]: 'https://prod', PATH: '/bin' })).toEqual({
    ...SETTINGS,
    PATH: '/bin',
  });
});

test('the settings of the local stack replace those of the shell', () => {
  expect(localEnvironment(SETTINGS, { IOT_ENDPOINT: 'http://127.0.0.1:9', TWIN_EVENTS_NAME: 'x' })).toEqual({
    ...SETTINGS,
    TWIN_EVENTS_NAME: 'x',
  });
});
