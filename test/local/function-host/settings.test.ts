import { describe, expect, test } from '@jest/globals';
import {
  connectionString,
  expandSettings,
  isFunctionDisabled,
} from '../../../local/function-host/settings.ts';

describe('%SETTING% in a binding', () => {
  test.each([
    ['%NAME%', 'twin-events'],
    ['plain', 'plain'],
    ['a-%NAME%-%OTHER%', 'a-twin-events-x'],
    ['100%', '100%'],
  ])('the text %s is replaced by %s', (text, expanded) => {
    expect(expandSettings(text, { NAME: 'twin-events', OTHER: 'x' })).toBe(expanded);
  });

  test.each([{}, { NAME: '' }])('a setting that is missing in %j is a problem', (environment) => {
    expect(() => expandSettings('%NAME%', environment)).toThrow(
      'the app setting NAME (for "%NAME%") is missing',
    );
  });
});

describe('a connection in a binding', () => {
  test('is the app setting of its name, with the prefix AzureWebJobs first', () => {
    expect(connectionString('EVENTS', { EVENTS: 'plain' })).toBe('plain');
    expect(connectionString('EVENTS', { EVENTS: 'plain', AzureWebJobsEVENTS: 'prefixed' })).toBe('prefixed');
  });

  test.each([
    [{}, 'the app setting EVENTS, which must hold a connection string, is missing'],
    [
      { EVENTS__fullyQualifiedNamespace: 'contoso.servicebus.windows.net' },
      'the app setting EVENTS__fullyQualifiedNamespace needs an identity-based connection, which works only in Azure; set EVENTS to a connection string',
    ],
  ])('the connection in the settings %j is a problem', (environment, message) => {
    expect(() => connectionString('EVENTS', environment)).toThrow(message);
  });
});

test.each([
  ['true', true],
  ['1', true],
  ['True', true],
  ['false', false],
  ['0', false],
  [undefined, false],
])('AzureWebJobs.NAME.Disabled = %s disables a function: %s', (value, disabled) => {
  expect(isFunctionDisabled('syncTwins', { 'AzureWebJobs.syncTwins.Disabled': value })).toBe(disabled);
});
