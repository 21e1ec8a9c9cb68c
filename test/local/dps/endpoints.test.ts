import { connect as connectSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import rhea, { type Connection } from 'rhea';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import { GROUP_KEY, ID_SCOPE, type LocalDps, SERVICE_HOST, startLocalDps } from './local-dps.ts';
import { callRuntime } from './runtime-calls.ts';

const GLOBAL_HOST = 'global.azure-devices-provisioning.net';

/** Devices use the global endpoint of all instances, or the endpoint of their instance. The id scope selects the instance. */
describe.each([GLOBAL_HOST, SERVICE_HOST, 'localhost'])('the endpoint %s', (host) => {
  let local: LocalDps;
  let connection: Connection | undefined;
  beforeEach(async () => {
    local = await startLocalDps([
      {
        enrollmentGroupId: 'plants',
        attestation: { type: 'symmetricKey', primaryKey: GROUP_KEY, secondaryKey: testKey(6) },
        allocationPolicy: 'static',
        iotHubs: [WEU],
      },
    ]);
  });
  afterEach(async () => {
    connection?.close();
    await local.close();
  });

  const token = (scope: string) =>
    SharedAccessSignature.create(
      encodeURIComponent(`${scope}/registrations/dev-1`),
      'registration',
      deriveDeviceKey(GROUP_KEY, 'dev-1'),
      Math.ceil(Date.now() / 1000) + 3600,
    ).toString();

  test.each([
    ['its id scope', ID_SCOPE, 202, undefined],
    ['its id scope in lower case', ID_SCOPE.toLowerCase(), 202, undefined],
    ['the id scope of another instance', '0neFFFFFFFF', 401, 401002],
  ])('answers HTTPS with %s', async (_, scope, status, errorCode) => {
    const answer = await callRuntime(
      local,
      'PUT',
      `/${scope}/registrations/dev-1/register`,
      { registrationId: 'dev-1' },
      { host, authorization: token(scope) },
    );

    expect([answer.status, answer.body.errorCode]).toEqual([status, errorCode]);
  });

  test.each([
    [ID_SCOPE, 'accepted'],
    ['0neFFFFFFFF', 'rejected'],
  ])('answers AMQP with the id scope %s', async (scope, result) => {
    const opened = rhea.create_container().connect({
      host: 'localhost',
      servername: host,
      hostname: host,
      port: local.ports.amqps,
      transport: 'tls',
      ca: local.authority.root,
      reconnect: false,
      username: `${scope}/registrations/dev-1`,
      password: token(scope),
    });
    connection = opened;
    opened.on('disconnected', () => {});
    const sender = opened.open_sender(`${scope}/registrations/dev-1`);
    await new Promise((resolve) => sender.once('sendable', resolve));
    const settled = new Promise((resolve) => {
      sender.once('accepted', () => resolve('accepted'));
      sender.once('rejected', () => resolve('rejected'));
    });
    sender.send({ application_properties: { 'iotdps-operation-type': 'iotdps-register' }, body: '' });

    expect(await settled).toBe(result);
  });

  // The SDK for C# opens them without a path.
  test.each([
    ['mqtt', '/$iothub/websocket'],
    ['AMQPWSB10', '/$iothub/websocket'],
    ['mqtt', '/'],
    ['AMQPWSB10', '/'],
  ])('opens a WebSocket for %s at %s', async (protocol, path) => {
    const socket = connectSocket({
      host: '127.0.0.1',
      servername: host,
      port: local.ports.https,
      ca: local.authority.root,
    });
    const opened = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}:443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
    );

    expect(await opened).toMatch(new RegExp(`^HTTP/1.1 101 [^]*Sec-WebSocket-Protocol: ${protocol}\r\n`));
    socket.destroy();
  });
});
