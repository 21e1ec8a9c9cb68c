import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Message, NoRetry, SharedAccessSignature } from 'azure-iot-common';
import type { Message as DeviceMessage } from 'azure-iot-device';
import { messageHeaders } from '../../../local/iot-hub/model/message-headers.ts';
import { realTime } from '../../support/clock.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

/*
 * The properties of cloud-to-device messages (iot-hub-devguide-messages-construct.md), sent with the service SDK over AMQP or by
 * REST, and received over HTTPS, where they are headers.
 */

const KEY = testKey(1);
const DEVICEBOUND = '/devices/dev-1/messages/devicebound';

describe('a cloud-to-device message', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
  });
  afterEach(() => local.close());

  const receive = () => {
    const authorization = SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/dev-1`),
      '',
      KEY,
      Math.ceil(Date.now() / 1000) + 3600,
    ).toString();
    return local.call('GET', DEVICEBOUND, { headers: { authorization } });
  };
  const feedback = async (): Promise<unknown> => {
    for (;;) {
      const { status, body } = await local.call('GET', '/messages/serviceBound/feedback');
      if (status === 200) return body;
      await realTime(50);
    }
  };
  const sendOverAmqp = async (fill: (message: Message) => void) => {
    const message = new Message('hello');
    fill(message);
    await local.service(WEU).send('dev-1', message);
  };

  test.each([
    ['a value that is not ASCII', 'unit', '温度'],
    ['a value with a line break', 'unit', 'a\r\nb'],
    ['a name that is not ASCII', 'größe', '1'],
    ['a name with a space', 'my unit', 'C'],
    ['a name with a colon', 'my:unit', 'C'],
  ])(
    'with a property that has %s is refused over AMQP, and the queue stays empty',
    async (_what, name, value) => {
      await expect(sendOverAmqp(({ properties }) => properties.add(name, value))).rejects.toMatchObject({
        name: 'ArgumentError',
      });

      expect((await receive()).status).toBe(204);
    },
  );

  test('with a property that has a value that is not ASCII is refused by REST', async () => {
    const headers = { 'iothub-app-unit': Buffer.from('温度').toString('latin1') };

    const answer = await local.call('POST', DEVICEBOUND, { body: 'hello', headers });

    expect(answer).toMatchObject({ status: 400, headers: { 'iothub-errorcode': 'ArgumentInvalid' } });
    expect(answer.body.Message).toContain('"unit"');
  });

  test('has every allowed character in the names and values of its properties', async () => {
    await sendOverAmqp(({ properties }) => properties.add("a!#$%&'*+-.^_`|~Z0", "b!#$%&'*+-.^_`|~ (/)=9"));

    expect((await receive()).headers).toMatchObject({
      "iothub-app-a!#$%&'*+-.^_`|~z0": "b!#$%&'*+-.^_`|~ (/)=9",
    });
  });

  test.each([
    ['its body', 65_536, {}],
    ['its body and the name and the value of a property', 65_536 - 9, { 'iothub-app-note': 'value' }],
    [
      'its body and the values of system properties',
      65_536 - 8,
      { 'iothub-messageid': 'm-1', 'iothub-userid': 'rob-1' },
    ],
  ])('has at most 64 KB with %s', async (_what, bodyBytes, headers) => {
    const largest = await local.call('POST', DEVICEBOUND, { body: 'x'.repeat(bodyBytes), headers });
    const larger = await local.call('POST', DEVICEBOUND, { body: 'x'.repeat(bodyBytes + 1), headers });

    expect(largest.status).toBe(204);
    expect(larger).toMatchObject({ status: 413, headers: { 'iothub-errorcode': 'RequestTooLarge' } });
  });

  test('counts against the daily quota with its properties', async () => {
    const used = () => local.hubs.view(WEU)?.messagesToday ?? 0;
    const before = used();

    await local.call('POST', DEVICEBOUND, { body: 'x', headers: { 'iothub-app-note': 'x'.repeat(4096) } });

    expect(used() - before).toBe(2);
  });

  test('whose properties do not fit into a topic is dead-lettered over MQTT, and the next one arrives', async () => {
    const device = await local.device(WEU, 'dev-1', KEY);
    device.setRetryPolicy(new NoRetry());
    await device.open();
    const got: string[] = [];
    device.on('message', (message: DeviceMessage) => {
      got.push(message.getData().toString());
      void device.complete(message);
    });
    await sendOverAmqp((message) => {
      message.ack = 'full';
      message.properties.add('note', ' '.repeat(30_000)); // %20 in a topic
    });

    await sendOverAmqp(() => {});

    await until(() => got.length === 1, 'the next message');
    expect(await feedback()).toMatchObject([{ statusCode: 'Rejected' }]);
    expect(local.log).toContainEqual(expect.stringContaining('do not fit into a topic of MQTT'));
  });

  test('has no message id over AMQP and HTTPS if its sender has set none, and its feedback an empty one', async () => {
    const device = await local.device(WEU, 'dev-1', KEY, 'Amqp');
    device.setRetryPolicy(new NoRetry());
    await device.open();
    const ids: unknown[] = [];
    device.on('message', (message: DeviceMessage) => {
      ids.push((message.transportObj as { message_id?: unknown }).message_id);
      void device.complete(message);
    });

    await sendOverAmqp((message) => {
      message.ack = 'full';
    });
    await until(() => ids.length === 1, 'the message');
    await device.close();
    await sendOverAmqp(() => {});

    expect(ids).toEqual([undefined]);
    expect((await receive()).headers).toMatchObject({ 'iothub-messageid': '', 'iothub-ack': 'none' });
    const records = await feedback();
    expect(records).toMatchObject([{ originalMessageId: '', statusCode: 'Success' }]);
  });

  test('has system properties that are not ASCII in percent encoding over HTTPS', async () => {
    await sendOverAmqp((message) => {
      message.messageId = 'm\n1';
      message.correlationId = 'order–7';
    });

    expect(await receive()).toMatchObject({
      status: 200,
      text: 'hello',
      headers: { 'iothub-messageid': 'm%0A1', 'iothub-correlationid': 'order%E2%80%937' },
    });
  });
});

test('a message that an earlier version has stored becomes headers that can be sent', () => {
  const message = { id: '1', body: '', expires: 0, deliveryCount: 0 };

  const headers = messageHeaders({
    ...message,
    system: { '$.mid': '温', '$.to': '/devices/dev 1\r\n' },
    properties: { 'my unit': '温度', lone: '\ud800', '': null },
  });

  expect(headers).toMatchObject({
    'iothub-messageid': '%E6%B8%A9',
    'iothub-to': '/devices/dev 1%0D%0A',
    'iothub-app-my%20unit': '%E6%B8%A9%E5%BA%A6',
    'iothub-app-lone': '%EF%BF%BD',
    'iothub-app-': '',
  });
});
