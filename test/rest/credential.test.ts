import { describe, expect, test } from '@jest/globals';
import { readServiceConnection, sharedAccessCredential } from '../../src/rest/credential.ts';

describe('a service connection string', () => {
  test('is read with names in any case and a key that holds "="', () => {
    expect(
      readServiceConnection(
        'hostname=Weu.azure-devices.net; SharedAccessKeyName=service;SHAREDACCESSKEY=a2V5PT0=',
      ),
    ).toEqual({ host: 'Weu.azure-devices.net', policy: { keyName: 'service', key: 'a2V5PT0=' } });
  });

  test('may lack the host, which the caller judges', () => {
    expect(readServiceConnection('SharedAccessKeyName=s;SharedAccessKey=k')?.host).toBe('');
  });

  test.each(['', 'c2VjcmV0', 'HostName=a;SharedAccessKeyName=s', 'SharedAccessKeyName=;SharedAccessKey=k'])(
    'without a policy and its key is none: %j',
    (text) => {
      expect(readServiceConnection(text)).toBeUndefined();
    },
  );
});

test('a shared access signature is used again until it is about to expire', async () => {
  const credential = sharedAccessCredential('weu.azure-devices.net', { keyName: 'service', key: 'a2V5' });

  const first = await credential.authorization();

  expect(first).toMatch(/^SharedAccessSignature sr=weu\.azure-devices\.net&sig=[^&]+&se=\d+&skn=service$/);
  expect(await credential.authorization()).toBe(first);
});
