import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry, SharedAccessSignature } from 'azure-iot-common';
import type { Message } from 'azure-iot-device';
import { cloudMessageTopic } from '../../../local/iot-hub/device-api/device-topics.ts';
import { CLOUD_TO_DEVICE } from '../../../local/iot-hub/index.ts';
import { messageHeaders } from '../../../local/iot-hub/model/message-headers.ts';
import { realTime } from '../../support/clock.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

/*
 * The life cycle of cloud-to-device messages (iot-hub-devguide-messages-c2d.md): the lock of a minute, the delivery count,
 * dead letters, expiry and feedback, over HTTPS, MQTT and AMQP.
 */

const KEY = testKey(1);
const MINUTE = 60_000;
const DEVICEBOUND = '/devices/dev-1/messages/devicebound';

describe('a cloud-to-device message', () => {
  let local: LocalHubs;
  let clock: number;

  beforeEach(async () => {
    clock = Date.now();
    local = await startLocalHubs({ now: () => clock });
    await local.registry(WEU).create({
      deviceId: 'dev-1',
      authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
    });
  });
  afterEach(() => local.close());

  const token = () =>
    SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/dev-1`),
      '',
      KEY,
      Math.ceil(clock / 1000) + 3600,
    ).toString();
  const asDevice = (method: string, path: string) =>
    local.call(method, path, { headers: { authorization: token() } });
  const send = (headers: Record<string, string> = {}) =>
    local.call('POST', DEVICEBOUND, {
      body: 'hello',
      headers: { 'iothub-messageid': 'm-1', 'iothub-ack': 'negative', ...headers },
    });
  const queued = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount;
  const statuses = async (): Promise<readonly string[]> => {
    for (;;) {
      const answer = await local.call('GET', '/messages/serviceBound/feedback');
      if (answer.status === 200)
        return (answer.body as { statusCode: string }[]).map((each) => each.statusCode);
      await realTime(50);
    }
  };
  /** Receives over HTTPS. */
  const receive = async () => {
    const { status, headers } = await asDevice('GET', DEVICEBOUND);
    const lockToken = String(headers.etag).replaceAll('"', '');
    return { status, lockToken, deliveryCount: headers['iothub-deliverycount'] };
  };
  /** A device over MQTT that acknowledges nothing. */
  async function silentDevice() {
    const filter = 'devices/dev-1/messages/devicebound/#';
    const session = await local.hubs.mqtt.connect({
      clientId: 'dev-1',
      userName: `${WEU}/dev-1/?api-version=2021-04-12`,
      password: token(),
      cleanSession: true,
      certificates: [],
    });
    if ('refused' in session) throw new Error('refused');
    const acknowledgements: (() => void)[] = [];
    const topics: string[] = [];
    session.opened({
      publish(to, { topic }, delivery) {
        topics.push(topic);
        if (to === filter && delivery !== undefined) acknowledgements.push(() => delivery.acknowledged());
        return to === filter;
      },
      close: () => session.closed(true),
    });
    session.subscribed(new Map([[filter, 1]]));
    return { acknowledgements, topics, session };
  }

  test('is dead-lettered when the device has abandoned it ten times over HTTPS', async () => {
    await send();
    const counts: unknown[] = [];
    for (let delivery = 0; delivery < 10; delivery += 1) {
      const { lockToken, deliveryCount } = await receive();
      counts.push(deliveryCount);
      expect((await asDevice('POST', `${DEVICEBOUND}/${lockToken}/abandon`)).status).toBe(204);
    }

    expect(counts).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect((await receive()).status).toBe(204);
    expect(await statuses()).toEqual(['DeliveryCountExceeded']);
  });

  test.each(['Amqp', 'AmqpWs'] as const)(
    'is dead-lettered when the device has abandoned it ten times over %s',
    async (transport) => {
      const device = await local.device(WEU, 'dev-1', KEY, transport);
      device.setRetryPolicy(new NoRetry());
      await device.open();
      let deliveries = 0;
      device.on('message', (message: Message) => {
        deliveries += 1;
        void device.abandon(message);
      });

      await send();

      expect(await statuses()).toEqual(['DeliveryCountExceeded']);
      expect(deliveries).toBe(10);
      expect(queued()).toBe(0);
    },
  );

  test('gives feedback about its completion and its rejection as its sender has asked', async () => {
    for (const ack of ['none', 'positive', 'negative', 'full']) {
      await send({ 'iothub-ack': ack });
      await asDevice('DELETE', `${DEVICEBOUND}/${(await receive()).lockToken}`);
      await send({ 'iothub-ack': ack });
      await asDevice('DELETE', `${DEVICEBOUND}/${(await receive()).lockToken}?reject`);
    }

    const seen: string[] = [];
    while (seen.length < 4) {
      seen.push(...(await statuses()));
      clock += 15_000;
    }
    expect(seen).toEqual(['Success', 'Rejected', 'Success', 'Rejected']);
  });

  test('has a number and a time over HTTPS, as azure-cli reads them', async () => {
    const english = expect.stringMatching(/^\d{1,2}\/\d{1,2}\/\d{4} \d{1,2}:\d\d:\d\d [AP]M$/);
    await send({ 'iothub-expiry': new Date(clock + MINUTE).toISOString() });
    await send();

    const [first, second] = [await asDevice('GET', DEVICEBOUND), await asDevice('GET', DEVICEBOUND)];

    expect(first.headers).toMatchObject({
      'iothub-messageid': 'm-1',
      'iothub-correlationid': '',
      'iothub-userid': '',
      'iothub-ack': 'negative',
      'iothub-deliverycount': '0',
      'iothub-sequencenumber': '1',
      'iothub-enqueuedtime': english,
      'iothub-expiry': english,
    });
    expect(second.headers).toMatchObject({ 'iothub-sequencenumber': '2', 'iothub-expiry': '' });
  });

  test('has a number and a time over AMQP, and the numbers go on after the queue was empty', async () => {
    const device = await local.device(WEU, 'dev-1', KEY, 'Amqp');
    device.setRetryPolicy(new NoRetry());
    await device.open();
    const annotations: unknown[] = [];
    device.on('message', (message: Message) => {
      const { message_annotations: given } = message.transportObj as { message_annotations: object };
      annotations.push(given);
      void device.complete(message);
    });
    for (const left of [1, 2]) {
      await send();
      await until(() => annotations.length === left && queued() === 0, `message ${left}`);
    }

    const enqueued = { 'iothub-enqueuedtime': clock, 'iothub-deliverycount': 0 };
    expect(annotations).toMatchObject([
      { ...enqueued, 'x-opt-sequence-number': 1 },
      { ...enqueued, 'x-opt-sequence-number': 2 },
    ]);
  });

  test('is received again when its lock of a minute has expired, with the same delivery count', async () => {
    await send();
    const first = await receive();
    clock += MINUTE - 1;
    expect((await receive()).status).toBe(204);
    clock += 1;

    const second = await receive();

    expect([first.deliveryCount, second.deliveryCount]).toEqual(['0', '0']);
    expect((await asDevice('DELETE', `${DEVICEBOUND}/${first.lockToken}`)).status).toBe(412);
    expect((await asDevice('DELETE', `${DEVICEBOUND}/${second.lockToken}`)).status).toBe(204);
  });

  test('comes again over MQTT a minute after a delivery without an acknowledgement, and leaves with one', async () => {
    const { acknowledgements, session } = await silentDevice();
    await send({ 'iothub-ack': 'full' });
    for (let minute = 1; minute <= 12; minute += 1) {
      await until(() => acknowledgements.length === minute, `delivery ${minute}`);
      clock += MINUTE;
    }
    await until(() => acknowledgements.length === 13, 'the last delivery');

    acknowledgements.at(-1)?.();

    expect(queued()).toBe(0);
    expect(await statuses()).toEqual(['Success']);
    session.closed(true);
  });

  test('comes again over AMQP when its lock has expired, and can then not be settled by the old delivery', async () => {
    const device = await local.device(WEU, 'dev-1', KEY, 'Amqp');
    device.setRetryPolicy(new NoRetry());
    await device.open();
    const deliveries: Message[] = [];
    device.on('message', (message: Message) => deliveries.push(message));
    await send();
    await until(() => deliveries.length === 1, 'the first delivery');
    clock += MINUTE;
    await until(() => deliveries.length === 2, 'the second delivery');

    await device.complete(deliveries[0] as Message).catch(() => {});
    expect(queued()).toBe(1);
    await device.complete(deliveries[1] as Message);

    await until(() => queued() === 0, 'the completion');
  });

  test('that a device holds over HTTPS goes to its connection over MQTT when the lock has expired', async () => {
    await send();
    await receive();
    const { acknowledgements, session } = await silentDevice();
    expect(acknowledgements).toEqual([]);
    clock += MINUTE;

    await until(() => acknowledgements.length === 1, 'the delivery over MQTT');
    session.closed(true);
  });

  test('goes to a newer connection at once, though the earlier one holds it', async () => {
    const earlier = await silentDevice();
    await send();
    expect(earlier.acknowledgements).toHaveLength(1);

    const newer = await silentDevice();

    await until(() => newer.acknowledgements.length === 1, 'the delivery to the newer connection');
    newer.session.closed(true);
  });

  test('has a lock token that another device cannot use', async () => {
    await local.registry(WEU).create({
      deviceId: 'dev-2',
      authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
    });
    await send();
    const { lockToken } = await receive();
    const other = SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/dev-2`),
      '',
      KEY,
      Math.ceil(clock / 1000) + 3600,
    ).toString();

    const taken = await local.call('DELETE', `/devices/dev-2/messages/devicebound/${lockToken}`, {
      headers: { authorization: other },
    });

    expect(taken.status).toBe(412);
    expect((await asDevice('DELETE', `${DEVICEBOUND}/${lockToken}`)).status).toBe(204);
  });

  test('that has expired gives feedback, also while a device holds it', async () => {
    await send({ 'iothub-expiry': new Date(clock + 30_000).toISOString() });
    const { lockToken } = await receive();
    clock += 30_000;

    expect(await statuses()).toEqual(['Expired']);
    expect((await asDevice('DELETE', `${DEVICEBOUND}/${lockToken}`)).status).toBe(412);
  });

  test('without an expiry of its own expires after an hour', async () => {
    await send();
    clock += 60 * MINUTE;

    expect((await receive()).status).toBe(204);
    await until(() => queued() === 0, 'the end of the message');
  });

  test('carries the expiry that its sender has set, and no other', async () => {
    const { topics, session } = await silentDevice();
    await send({ 'iothub-expiry': '2999-01-02T03:04:05.678Z' });
    await send();

    expect(topics.map((topic) => decodeURIComponent(/%24\.exp=([^&]*)/.exec(topic)?.[1] ?? ''))).toEqual([
      '2999-01-02T03:04:05.6780000Z',
      '',
    ]);
    session.closed(true);
  });
});

test('a hub has its own count of deliveries and its own time to live', async () => {
  let clock = Date.now();
  const cloudToDevice = CLOUD_TO_DEVICE.parse({ maxDeliveryCount: 1, defaultTtlAsIso8601: 'PT1M' });
  const local = await startLocalHubs({
    now: () => clock,
    hubs: [{ host: WEU, tier: 'S1', units: 1, cloudToDevice }],
  });
  const send = () =>
    local.call('POST', DEVICEBOUND, {
      body: 'x',
      headers: { 'iothub-ack': 'full', 'iothub-messageid': 'm' },
    });
  const statuses: string[] = [];
  const next = async () => {
    clock += 15_000;
    const answer = await local.call('GET', '/messages/serviceBound/feedback');
    if (answer.status !== 200) return false;
    const lock = String(answer.headers.etag).replaceAll('"', '');
    await local.call('DELETE', `/messages/serviceBound/feedback/${lock}`);
    statuses.push(...(answer.body as { statusCode: string }[]).map((each) => each.statusCode));
    return true;
  };
  const feedback = async () => {
    while (!(await next())) await realTime(250);
  };
  try {
    const keys = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication: keys });
    await send();
    const device = await local.device(WEU, 'dev-1', KEY, 'Amqp');
    device.setRetryPolicy(new NoRetry());
    await device.open();
    device.on('message', (message: Message) => void device.abandon(message));
    await feedback();
    await device.close();
    await send();
    clock += MINUTE;
    await feedback();

    expect(statuses).toEqual(['DeliveryCountExceeded', 'Expired']);
  } finally {
    await local.close();
  }
});

describe('the topic of a cloud-to-device message', () => {
  const message = {
    id: '1',
    body: '',
    system: { '$.mid': 'a', 'iothub-ack': 'full' },
    expires: 0,
    deliveryCount: 0,
  };

  test('shows a property without a value as its name, and an empty text with an equals sign', () => {
    const properties = { prop1: null, prop2: '', prop3: 'a string' };

    expect(cloudMessageTopic({ deviceId: 'dev-1' }, { ...message, properties })).toBe(
      'devices/dev-1/messages/devicebound/%24.mid=a&iothub-ack=full&prop1&prop2=&prop3=a%20string',
    );
  });
});

test.each([
  [Date.UTC(2017, 11, 22, 0, 14, 12), '12/22/2017 12:14:12 AM'],
  [Date.UTC(2019, 8, 1, 12, 0, 0), '9/1/2019 12:00:00 PM'],
  [Date.UTC(2019, 8, 1, 23, 5, 9), '9/1/2019 11:05:09 PM'],
])('the header of the time %d is %s', (enqueuedAt, text) => {
  const message = { id: '1', body: '', system: {}, properties: {}, expires: 0, deliveryCount: 0 };

  expect(messageHeaders({ ...message, enqueuedAt })['iothub-enqueuedtime']).toBe(text);
});
