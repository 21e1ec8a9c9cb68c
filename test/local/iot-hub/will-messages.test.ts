import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const EVENTS = 'devices/dev-1/messages/events/';

describe('the Will message of a device', () => {
  let local: LocalHubs;
  const clients: MqttClient[] = [];

  beforeEach(async () => {
    local = await startLocalHubs();
    await local.registry(WEU).create({
      deviceId: 'dev-1',
      authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: testKey(9) } },
    });
    local.events.length = 0;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end(true);
    await local.close();
  });

  const opening = (will: NonNullable<IClientOptions['will']>): Promise<MqttClient> => {
    const resource = encodeURIComponent(`${WEU}/devices/dev-1`);
    const expiry = Math.ceil(Date.now() / 1000) + 3600;
    const client = connect(`mqtts://localhost:${local.relayedMqtt}`, {
      ca: local.authority.root,
      clientId: 'dev-1',
      username: `${WEU}/dev-1/?api-version=2021-04-12`,
      password: SharedAccessSignature.create(resource, '', KEY, expiry).toString(),
      protocolVersion: 4,
      reconnectPeriod: 0,
      will,
    });
    clients.push(client);
    return new Promise((resolve, reject) => {
      client.on('connect', () => resolve(client));
      client.on('error', reject);
    });
  };
  const telemetry = () => local.events.filter(({ properties }) => properties.opType === undefined);
  const kinds = () => local.events.map(({ properties }) => properties.opType);
  const isGone = () => kinds().includes('deviceDisconnected');

  test('is sent as telemetry when the connection is lost', async () => {
    await opening({
      topic: `${EVENTS}%24.ct=text%2Fplain&k=v`,
      payload: Buffer.from('gone'),
      qos: 1,
      retain: false,
    });

    local.dropConnections();
    await until(() => telemetry().length === 1, 'the Will message');

    expect(telemetry()).toMatchObject([
      {
        contentType: 'text/plain',
        properties: { k: 'v', 'iothub-MessageType': 'Will' },
        annotations: { 'iothub-connection-device-id': 'dev-1', 'iothub-message-source': 'Telemetry' },
        body: 'gone',
      },
    ]);
  });

  test('is sent when a newer connection takes the place of this one', async () => {
    const will = { topic: EVENTS, payload: Buffer.from('gone'), qos: 0, retain: true } as const;
    await opening(will);
    await opening(will);

    await until(() => telemetry().length === 1, 'the Will message');

    expect(telemetry()[0]?.properties).toEqual({ 'iothub-MessageType': 'Will', 'mqtt-retain': 'true' });
  });

  test('is not sent after DISCONNECT', async () => {
    const client = await opening({ topic: EVENTS, payload: Buffer.from('gone'), qos: 1, retain: false });

    await new Promise<void>((resolve) => client.end(false, {}, () => resolve()));
    await until(isGone, 'the end of the connection');
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(telemetry()).toEqual([]);
  });

  test.each(['devices/dev-2/messages/events/', 'elsewhere', '$iothub/twin/GET/?$rid=1'])(
    'with the topic %s is refused at the connection',
    async (topic) => {
      await expect(
        opening({ topic, payload: Buffer.from('x'), qos: 1, retain: false }),
      ).rejects.toMatchObject({
        code: 5,
      });
    },
  );
});
