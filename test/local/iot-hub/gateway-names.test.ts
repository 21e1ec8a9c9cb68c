import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { generate, parser } from 'mqtt-packet';
import type { KeyedCertificate } from '../../../local/ca/index.ts';
import { EUS, type LocalHubs, startLocalHubs, testKey, thumbprintOf, WEU } from './local-hubs.ts';

const KEY = testKey(1);

let local: LocalHubs;
let certificate: KeyedCertificate;
beforeAll(async () => {
  local = await startLocalHubs();
  certificate = await local.authority.issueDevice('meter');
  const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: testKey(9) } };
  // The same id on both hubs: only the token tells them apart.
  for (const host of [WEU, EUS]) await local.registry(host).create({ deviceId: 'lamp', authentication });
  const x509Thumbprint = { primaryThumbprint: thumbprintOf(certificate.certificate) };
  await local
    .registry(EUS)
    .create({ deviceId: 'meter', authentication: { type: 'selfSigned', x509Thumbprint } });
});
afterAll(() => local.close());

/** Connects as the SDK for C# does with `GatewayHostName`. Returns the return code of the CONNACK. */
function connects(
  userName: string,
  { password, proof }: { readonly password?: string; readonly proof?: KeyedCertificate },
): Promise<number> {
  const [, clientId = ''] = userName.split('/');
  const socket = connect({
    host: 'localhost',
    port: local.ports.mqtt,
    ca: local.authority.root,
    ...(proof && { cert: proof.certificate, key: proof.key }),
  });
  return new Promise<number>((resolve, reject) => {
    const packets = parser();
    packets.on('packet', (packet) => packet.cmd === 'connack' && resolve(packet.returnCode ?? -1));
    socket.on('data', (chunk) => packets.parse(chunk));
    socket.once('error', reject);
    socket.once('secureConnect', () =>
      socket.write(
        generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clean: true,
          clientId,
          keepalive: 60,
          username: userName,
          ...(password !== undefined && { password: Buffer.from(password) }),
        }),
      ),
    );
  }).finally(() => socket.destroy());
}
const tokenFor = (host: string, key = KEY) =>
  SharedAccessSignature.create(
    `${host}/devices/lamp`,
    '',
    key,
    Math.ceil(Date.now() / 1_000) + 60,
  ).toString();
const connectedOn = (host: string) =>
  local.events.filter((event) => event.host === host && event.properties.opType === 'deviceConnected').length;

describe('a user name with the gateway in the place of the hub', () => {
  test.each(['localhost', '127.0.0.1', '[::1]', 'localhost:8883'])(
    '%s connects to the hub of the token',
    async (gateway) => {
      const before = [connectedOn(WEU), connectedOn(EUS)];

      expect(await connects(`${gateway}/lamp/?api-version=2020-09-30`, { password: tokenFor(EUS) })).toBe(0);

      expect([connectedOn(WEU), connectedOn(EUS)]).toEqual([before[0], (before[1] ?? 0) + 1]);
    },
  );

  test('connects a device with a certificate to the hub that knows the certificate', async () => {
    const before = connectedOn(EUS);

    expect(await connects('localhost/meter/?api-version=2020-09-30', { proof: certificate })).toBe(0);

    expect(connectedOn(EUS)).toBe(before + 1);
  });

  test.each([
    ['a wrong key', () => tokenFor(EUS, testKey(5))],
    ['a hub that is not here', () => tokenFor('other.azure-devices.net')],
    ['no token', () => undefined],
  ])('is refused with %s', async (_what, password) => {
    const given = password();
    expect(
      await connects(
        'localhost/lamp/?api-version=2020-09-30',
        given === undefined ? {} : { password: given },
      ),
    ).toBe(5);
  });
});
