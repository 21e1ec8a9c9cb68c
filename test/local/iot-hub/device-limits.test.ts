import { afterEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { Message } from 'azure-iot-device';
import type { MqttMessage } from '../../../local/mqtt/index.ts';
import { type LocalHubs, report, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);

describe('the limits of a hub for devices', () => {
  let local: LocalHubs;
  afterEach(() => local.close());

  const start = async (options: Parameters<typeof startLocalHubs>[0]) => {
    local = await startLocalHubs({ hubs: [{ host: WEU, tier: 'F1', units: 1 }], ...options });
    local.hubs.provisioning(WEU)?.create('dev-1', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
      capabilities: { iotEdge: false },
      tags: {},
      desired: {},
      reported: {},
    });
  };
  const view = () => local.hubs.view(WEU);

  test('reports above the rate limit are refused with 429001 in the body', async () => {
    await start({ shaping: { burstMs: 40, backlogMs: 0 } });
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    const twin = await client.getTwin();

    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        report(twin, { index }).then(
          () => 'accepted',
          (error: Error) => error.message,
        ),
      ),
    );

    expect(new Set(results)).toEqual(new Set(['accepted', 'Request is being throttled']));
    const accepted = results.filter((result) => result === 'accepted').length;
    expect(view()?.counters).toMatchObject({
      deviceTwinWrites: accepted,
      deviceThrottled: 20 - accepted,
      throttled: 0,
    });
    expect(view()?.twin('dev-1')).toMatchObject({ version: 2 + accepted });
  });

  test('reports of devices use up the write limit of services', async () => {
    await start({ shaping: { burstMs: 1000, backlogMs: 0 }, now: () => Date.parse('2024-03-01T10:00:00Z') });
    const device = await openRaw();
    for (let count = 0; count < 50; count += 1) {
      await device.send('$iothub/twin/PATCH/properties/reported/?$rid=1', '{"a":1}');
    }

    const answer = await local.call('PATCH', '/twins/dev-1', {
      headers: { authorization: serviceTokenAt('2024-03-01T11:00:00Z') },
      body: { tags: { a: 1 } },
    });

    expect(answer.status).toBe(429);
    expect(answer.headers['iothub-errorcode']).toBe('ThrottlingException');
    expect(answer.body.Message).toBe('ErrorCode:ThrottlingException;Request is being throttled');
  });

  test('after the daily quota is used up, twin requests get 403002 and telemetry ends the connection', async () => {
    await start({ now: () => Date.parse('2024-03-01T10:00:00Z') });
    const device = await openRaw();
    await device.send('devices/dev-1/messages/events/', Buffer.alloc(256 * 1024));
    while ((view()?.messagesToday ?? 0) < 8_000) {
      await device.send('devices/dev-1/messages/events/', Buffer.alloc(256 * 1024));
    }

    await device.send('$iothub/twin/GET/?$rid=7', ' ');
    const telemetry = device.send('devices/dev-1/messages/events/', 'x');

    await expect(telemetry).rejects.toMatchObject({ code: 403002 });
    expect(device.sent.at(-1)).toMatchObject({ topic: '$iothub/twin/res/403/?$rid=7' });
    expect(JSON.parse(String(device.sent.at(-1)?.payload))).toMatchObject({ errorCode: 403002 });
    expect(view()?.counters.deviceQuotaRefused).toBe(2);
  });

  test('a message over 256 KB is refused', async () => {
    await start({});
    const device = await openRaw();
    const message = device.send('devices/dev-1/messages/events/', Buffer.alloc(256 * 1024 + 1));
    await expect(message).rejects.toThrow('too large');
  });

  test('a device is dropped when its token expires', async () => {
    const expiry = Math.ceil(Date.now() / 1000) + 60;
    await start({ now: () => expiry * 1000 - 30 });
    const device = await openRaw(expiry);

    await until(() => device.isClosed(), 'the connection to end');
  });

  test('a device that sends too fast is delayed, and its messages stay in order', async () => {
    await start({ shaping: { burstMs: 20, backlogMs: 10_000 } });
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    local.events.length = 0;

    await Promise.all(Array.from({ length: 12 }, (_, index) => client.sendEvent(new Message(String(index)))));

    expect(local.events.map(({ body }) => body)).toEqual(Array.from({ length: 12 }, (_, index) => index));
  });

  /** A device at the seam between MQTT and the hub, where a test can hold the clock. */
  async function openRaw(expiry = Date.parse('2100-01-01T00:00:00Z') / 1000) {
    const sent: MqttMessage[] = [];
    let closed = false;
    const session = await local.hubs.mqtt.connect({
      clientId: 'dev-1',
      userName: `${WEU}/dev-1/?api-version=2021-04-12`,
      password: SharedAccessSignature.create(
        encodeURIComponent(`${WEU}/devices/dev-1`),
        '',
        KEY,
        expiry,
      ).toString(),
      cleanSession: true,
      certificates: [],
    });
    if ('refused' in session) throw new Error(`refused with ${session.refused}`);
    session.opened({
      publish(_filter, message) {
        sent.push(message);
        return true;
      },
      close() {
        closed = true;
      },
    });
    return {
      sent,
      isClosed: () => closed,
      send: async (topic: string, payload: string | Buffer) =>
        session.received({ topic, payload: Buffer.from(payload) }),
    };
  }
});

function serviceTokenAt(time: string): string {
  const key = Buffer.from('berth-local-development-key-0001').toString('base64');
  return SharedAccessSignature.create(WEU, 'iothubowner', key, Date.parse(time) / 1000).toString();
}
