import { expect, test } from '@jest/globals';
import { deviceClient } from '../../../local/own-device/device-client.ts';
import { startLocalHubs, testKey, thumbprintOf, WEU } from '../iot-hub/local-hubs.ts';

test.each(['a key', 'a certificate'])(
  'a device of your own connects through the gateway with %s',
  async (proof) => {
    const local = await startLocalHubs();
    try {
      const { certificate, key } = await local.authority.issueDevice('dev-1');
      const isKey = proof === 'a key';
      const authentication = isKey
        ? { symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } }
        : { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: thumbprintOf(certificate) } };
      await local.registry(WEU).create({ deviceId: 'dev-1', authentication } as never);
      const files = { certificate: 'dev-1.pem', key: 'dev-1.key' };
      const client = deviceClient(
        { hub: WEU, deviceId: 'dev-1', payload: undefined },
        { key: isKey ? testKey(1) : null, certificate: isKey ? null : files },
        { ports: { mqtt: local.ports.mqtt } as never },
      );
      await client.setOptions({ ca: local.authority.root, ...(!isKey && { cert: certificate, key }) });

      const twin = await client.open().then(() => client.getTwin());
      expect(twin.properties.desired).toMatchObject({ $version: 1 });
      await client.close();
    } finally {
      await local.close();
    }
  },
);
