import { describe, expect, test } from '@jest/globals';
import { readServiceConnection, sharedAccessCredential } from '../../src/rest/credential.ts';

describe('a service connection string', () => {
  test('is read with names in any case and with a key that contains "="', () => {
    expect(
      readServiceConnection(
        'hostname=Weu.azure-devices.net; SharedAccessKeyName=service;SHAREDACCESSKEY=a2V5PT0=',
      ),
    ).toEqual({ host: 'Weu.azure-devices.net', policy: { keyName: 'service', key: 'a2V5PT0=' } });
  });

  test('may lack the host, which the caller checks', () => {
    expect(readServiceConnection('SharedAccessKeyName=s;SharedAccessKey=k')?.host).toBe('');
  });

  test.each(['', 'c2VjcmV0', 'HostName=a;SharedAccessKeyName=s', 'SharedAccessKeyName=;SharedAccessKey=k'])(
    'is invalid without a policy and its key: %j',
    (text) => {
      expect(readServiceConnection(text)).toBeUndefined();
    },
  );
});

test('a shared access signature is reused until shortly before it expires', async () => {
  const credential = sharedAccessCredential('weu.azure-devices.net', { keyName: 'service', key: 'a2V5' });

  const first = await credential.authorization();

  expect(first).toMatch(/^SharedAccessSignature sr=weu\.azure-devices\.net&sig=[^&]+&se=\d+&skn=service$/);
  expect(await credential.authorization()).toBe(first);
});
