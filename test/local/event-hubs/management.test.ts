import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import rhea from 'rhea';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { connectRaw, type RawClient, socketOf } from './raw-client.ts';
import { eventually } from './reading.ts';

describe('$cbs and $management', () => {
  let eventHubs: EventHubs;
  let client: RawClient;
  /** Everything the server wrote. */
  let bytes = Buffer.alloc(0);

  beforeAll(async () => {
    eventHubs = await startEventHubs({
      port: 0,
      hubs: [{ name: 'hub', partitionCount: 2, consumerGroups: [] }],
      now: () => 1_700_000_000_000,
    });
    client = await connectRaw(eventHubs.port);
    socketOf(client.connection).on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
  });
  afterAll(async () => {
    client.destroy();
    await eventHubs.close();
  });

  const SECONDS = 1_700_000_000;
  /** A token of the policy, for a resource. */
  const sas = (
    resource: string,
    { key = 'SAS_KEY_VALUE', policy = 'RootManageSharedAccessKey', expiry = SECONDS + 60 } = {},
  ) => {
    const sr = encodeURIComponent(resource);
    const sig = createHmac('sha256', key).update(`${sr}\n${expiry}`).digest('base64');
    return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(sig)}&se=${expiry}&skn=${policy}`;
  };
  const ask = async (
    node: string,
    properties: Record<string, unknown>,
    body: unknown = sas('sb://localhost/'),
    by: RawClient = client,
  ) => {
    const replyTo = `replies-${Math.random()}`;
    const replies = await by.receiver(node, { target: replyTo });
    const sender = await by.sender(node);
    sender.send({
      message_id: 5,
      reply_to: replyTo,
      application_properties: properties,
      body,
    } as unknown as Parameters<typeof sender.send>[0]);
    bytes = Buffer.alloc(0);
    const [reply] = await replies.take(1);
    return reply;
  };

  test.each<[number, string, Record<string, unknown>]>([
    [202, '$cbs', { operation: 'put-token', type: 'jwt', name: 'sb://localhost/hub' }],
    [202, '$cbs', { operation: 'put-token', name: 'sb://localhost/hub' }],
    [501, '$cbs', { operation: 'put-token', name: 'amqps://weu.azure-devices.net/devices/dev-1' }],
    [202, '$cbs', { operation: 'put-token', name: 'amqps://localhost:5/HUB/ConsumerGroups/x/Partitions/0' }],
    [202, '$cbs', { operation: 'put-token', name: 'sb://localhost/' }],
    [404, '$cbs', { operation: 'put-token', name: 'sb://localhost/missing' }],
    [400, '$cbs', { operation: 'put-token' }],
    [400, '$cbs', { operation: 'delete-token', name: 'sb://localhost/hub' }],
    [400, '$cbs', {}],
    [200, '$management', { operation: 'READ', type: 'com.microsoft:eventhub', name: 'hub' }],
    [200, '$management', { operation: 'READ', type: 'com.microsoft:partition', name: 'hub', partition: '1' }],
    [404, '$management', { operation: 'READ', type: 'com.microsoft:eventhub', name: 'missing' }],
    [404, '$management', { operation: 'READ', type: 'com.microsoft:eventhub' }],
    [400, '$management', { operation: 'READ', type: 'com.microsoft:partition', name: 'hub', partition: '2' }],
    [501, '$management', { operation: 'WRITE', type: 'com.microsoft:eventhub', name: 'hub' }],
  ])('the status %d is answered by %s for %j', async (status, node, properties) => {
    const reply = await ask(node, properties);

    expect(reply).toMatchObject({ correlation_id: 5, application_properties: { 'status-code': status } });
  });

  const PUT = { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: 'sb://localhost/hub' };
  test.each<[number, string, () => unknown]>([
    [202, 'a token of the whole namespace', () => sas('sb://localhost/')],
    [202, 'a token of the event hub, in another case', () => sas('sb://localhost/HUB')],
    [
      202,
      'a token of a part of the event hub',
      () => sas('sb://localhost/hub/ConsumerGroups/x/Partitions/0'),
    ],
    [401, 'a token of another event hub', () => sas('sb://localhost/hub2')],
    [401, 'a wrong key', () => sas('sb://localhost/', { key: 'other' })],
    [401, 'an unknown policy', () => sas('sb://localhost/', { policy: 'listen' })],
    [401, 'an expired token', () => sas('sb://localhost/', { expiry: SECONDS })],
    [401, 'no token', () => null],
    [401, 'another text', () => 'token'],
  ])('the status %d answers %s', async (status, _name, token) => {
    const reply = await ask('$cbs', PUT, token());

    expect(reply).toMatchObject({ application_properties: { 'status-code': status } });
  });

  test('a token of Microsoft Entra ID is refused, and a shared access signature with its type is accepted', async () => {
    const typed = { ...PUT, type: 'jwt' };

    expect(await ask('$cbs', typed, 'eyJ0eXAi')).toMatchObject({
      application_properties: {
        'status-code': 401,
        'status-description': expect.stringContaining(
          'Microsoft Entra ID tokens are not in the local Event Hubs',
        ),
      },
    });
    expect(await ask('$cbs', typed)).toMatchObject({ application_properties: { 'status-code': 202 } });
  });

  test('without a token, links and $management are refused, and with one of the event hub they work', async () => {
    const reader = 'hub/ConsumerGroups/$default/Partitions/0';
    const anonymous = await connectRaw(eventHubs.port, { password: undefined });
    const refused = { condition: 'amqp:unauthorized-access' };
    const read = { operation: 'READ', type: 'com.microsoft:eventhub', name: 'hub' };

    await expect(anonymous.sender('hub')).rejects.toMatchObject(refused);
    await expect(anonymous.receiver(reader)).rejects.toMatchObject(refused);
    expect(await ask('$management', read, null, anonymous)).toMatchObject({
      application_properties: { 'status-code': 401 },
    });
    await ask('$cbs', PUT, sas('sb://localhost/hub'), anonymous);

    await expect(anonymous.sender('hub')).resolves.toBeDefined();
    await expect(anonymous.receiver(reader)).resolves.toBeDefined();
    expect(await ask('$management', read, null, anonymous)).toMatchObject({
      application_properties: { 'status-code': 200 },
    });
    anonymous.destroy();
  });

  test('a wrong key over SASL PLAIN ends the connection', async () => {
    const connection = rhea.create_container({}).connect({
      port: eventHubs.port,
      host: '127.0.0.1',
      reconnect: false,
      username: 'RootManageSharedAccessKey',
      password: 'wrong',
    });
    connection.on('disconnected', () => {});

    const [{ error }] = await once(connection, 'connection_error');

    expect(error).toMatchObject({ condition: 'amqp:unauthorized-access' });
  });

  test.each(['/devices/dev-1/messages/events', '/messages/devicebound', '0ne1/registrations/dev-1'])(
    'a link to %s is refused as not in the local hub',
    async (address) => {
      await expect(client.sender(address)).rejects.toMatchObject({
        condition: 'amqp:not-implemented',
        description: expect.stringContaining('not in the local hub'),
      });
    },
  );

  test('a request is settled before it is answered', async () => {
    const replies = await client.receiver('$management', { target: 'ordered' });
    const sender = await client.sender('$management');
    replies.link.add_credit(1);
    bytes = Buffer.alloc(0);
    sender.send({
      message_id: 6,
      reply_to: 'ordered',
      application_properties: { operation: 'READ', type: 'com.microsoft:eventhub', name: 'hub' },
    } as unknown as Parameters<typeof sender.send>[0]);
    await eventually(() => replies.messages.length === 1, 'the answer came');

    const [disposition, transfer] = [0x15, 0x14].map((code) => bytes.indexOf(Buffer.from([0, 0x53, code])));
    expect(disposition).toBeGreaterThanOrEqual(0);
    expect(disposition).toBeLessThan(transfer ?? -1);
  });

  /**
   * What .NET casts: `status-code` to int, conditions to symbol, sequence numbers to long, ids to an array of
   * string.
   */
  test('values have the types that .NET expects', async () => {
    await ask('$management', { operation: 'READ', type: 'com.microsoft:eventhub', name: 'hub' });
    expect(bytes.includes(encoded('status-code', [0x71, 0, 0, 0, 200]))).toBe(true);
    expect(bytes.includes(encoded('partition_count', [0x54, 2]))).toBe(true);
    expect(
      bytes.includes(encoded('partition_ids', [0xf0, 0, 0, 0, 9, 0, 0, 0, 2, 0xa1, 1, 0x30, 1, 0x31])),
    ).toBe(true);
    expect(bytes.includes(encoded('created_at', [0x83]))).toBe(true);

    await ask('$management', {
      operation: 'READ',
      type: 'com.microsoft:partition',
      name: 'hub',
      partition: '0',
    });
    expect(bytes.includes(encoded('begin_sequence_number', [0x55, 0xff]))).toBe(true);
    expect(bytes.includes(encoded('is_partition_empty', [0x41]))).toBe(true);

    await ask('$management', { operation: 'READ', type: 'com.microsoft:eventhub', name: 'missing' });
    expect(bytes.includes(encoded('error-condition', [0xa3, 14]))).toBe(true);
  });

  test('a client that reads late still gets its answers, and other clients do not wait for it', async () => {
    const replies = await client.receiver('$management', { target: 'slow' });
    const sender = await client.sender('$management');
    for (let id = 0; id < 10; id += 1) {
      sender.send({
        message_id: id,
        reply_to: 'slow',
        application_properties: { operation: 'READ', type: 'com.microsoft:eventhub', name: 'hub' },
        body: null,
      } as unknown as Parameters<typeof sender.send>[0]);
    }
    let accepted = 0;
    sender.on('accepted', () => {
      accepted += 1;
    });
    await eventually(() => accepted === 10, 'all requests were taken');

    expect(await ask('$cbs', {})).toMatchObject({ application_properties: { 'status-code': 400 } });
    const answers = await replies.take(10);

    expect(answers.map((answer) => answer.correlation_id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

/** A map entry with a short string as its key, and the first bytes of its value. */
function encoded(key: string, value: number[]): Buffer {
  return Buffer.concat([Buffer.from([0xa1, key.length]), Buffer.from(key), Buffer.from(value)]);
}
