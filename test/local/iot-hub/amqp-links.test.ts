import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import type { Message as DeviceMessage } from 'azure-iot-device';
import rhea, { type EventContext, type Message } from 'rhea';
import { builtInPolicies } from '../../../local/iot-hub/model/access-policy.ts';
import { connectRaw, deliver, type RawClient, type RawReceiver } from '../event-hubs/raw-client.ts';
import { eventually } from '../event-hubs/reading.ts';
import {
  EUS,
  type LocalHubs,
  serviceToken,
  startLocalHubs,
  type TransportName,
  testKey,
  until,
  WEU,
} from './local-hubs.ts';

const KEY = testKey(1);
const EVENTS = '/devices/dev-1/messages/events';
const DEVICE_BOUND = '/devices/dev-1/messages/devicebound';
const BATCH_FORMAT = 0x80013700;

const data = (text: string | Buffer, more: object = {}) =>
  ({ ...more, body: rhea.message.data_section(Buffer.from(text)) }) as unknown as Message;

describe('the links of devices over AMQP', () => {
  let local: LocalHubs;
  let now: number;
  const clients: RawClient[] = [];
  let tokens = 0;

  beforeEach(async () => {
    now = Date.now();
    local = await startLocalHubs({ now: () => now });
    for (const deviceId of ['dev-1', 'dev-2']) {
      const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: testKey(9) } };
      await local.registry(WEU).create({ deviceId, authentication });
    }
    local.events.length = 0;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await local.close();
  });

  const connect = async (options: Record<string, unknown> = {}): Promise<RawClient> => {
    const client = await connectRaw(local.ports.amqps, {
      transport: 'tls',
      ca: local.authority.root,
      host: 'localhost',
      hostname: WEU,
      username: undefined,
      password: undefined,
      ...options,
    });
    clients.push(client);
    return client;
  };
  const tokenOf = (deviceId: string, seconds = 3600, key = KEY) =>
    SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/${deviceId}`),
      '',
      key,
      Math.ceil(now / 1000) + seconds,
    ).toString();
  const putToken = async (client: RawClient, name: string, token: unknown, type = 'sastoken') => {
    tokens += 1;
    const target = `me-${tokens}`;
    const replies = await client.receiver('$cbs', { target });
    const sender = await client.sender('$cbs');
    sender.send({
      message_id: 'a',
      reply_to: target,
      application_properties: { operation: 'put-token', type, name },
      body: token,
    });
    const [answer] = await replies.take(1);
    return answer?.application_properties?.['status-code'];
  };
  const asDevice = async (deviceId = 'dev-1', seconds?: number) => {
    const client = await connect();
    await putToken(client, `${WEU}/devices/${deviceId}`, tokenOf(deviceId, seconds));
    return client;
  };
  const telemetry = () => local.events.filter(({ properties }) => properties.opType === undefined);
  const ended = (client: RawClient) => once(client.connection, 'disconnected');
  const send = (text: string) =>
    local.call('POST', '/devices/dev-1/messages/devicebound', {
      body: text,
      headers: { authorization: serviceToken(WEU, undefined, Math.ceil(now / 1000) + 3600) },
    });

  test.each([
    ['its token', () => tokenOf('dev-1'), 200],
    ['a token of another device', () => tokenOf('dev-2'), 401],
    ['an expired token', () => tokenOf('dev-1', -10), 401],
    ['a token of a wrong key', () => tokenOf('dev-1', 60, testKey(5)), 401],
    ['a number', () => 7, 401],
    ['a policy that allows devices', () => serviceToken(WEU, undefined, Math.ceil(now / 1000) + 60), 200],
  ])('a device that presents %s gets a status', async (_name, token, status) => {
    const client = await connect();

    expect(await putToken(client, `amqps://${WEU}/devices/dev-1`, token())).toBe(status);
  });

  const policyToken = (policy: string, seconds: number) =>
    serviceToken(
      WEU,
      builtInPolicies().find(({ keyName }) => keyName === policy)?.key,
      Math.ceil(now / 1000) + seconds,
      policy,
    );

  test('a token for the whole hub counts for every device, if its policy allows devices', async () => {
    const pool = await connect();
    const services = await connect();

    expect(await putToken(pool, WEU, policyToken('device', 60))).toBe(200);
    expect(await putToken(services, WEU, policyToken('service', 60))).toBe(200);
    for (const deviceId of ['dev-1', 'dev-2']) {
      const link = await pool.sender(`/devices/${deviceId}/messages/events`);
      expect(await deliver(link, data(deviceId))).toMatchObject({ result: 'accepted' });
    }
    await expect(services.sender(EVENTS)).rejects.toMatchObject({ condition: 'amqp:unauthorized-access' });

    expect(telemetry().map(({ body }) => body)).toEqual(['dev-1', 'dev-2']);
  });

  test('a newer token for the whole hub keeps its devices connected, and without one they are disconnected', async () => {
    const ending = await connect();
    await putToken(ending, WEU, policyToken('device', 3));
    await ending.sender(EVENTS);
    const renewed = await connect();
    await putToken(renewed, WEU, policyToken('device', 3));
    const link = await renewed.sender('/devices/dev-2/messages/events');

    await putToken(renewed, WEU, policyToken('device', 3600));
    await ended(ending);

    expect(await deliver(link, data('still here'))).toMatchObject({ result: 'accepted' });
  });

  test('an unknown hub and an Entra token get their own refusals', async () => {
    const client = await connect();

    expect(await putToken(client, 'nothing.azure-devices.net/devices/dev-1', tokenOf('dev-1'))).toBe(404);
    expect(await putToken(client, `${WEU}/devices/dev-1`, 'eyJ', 'jwt')).toBe(401);
  });

  test('a token for another hub than the one that the client has called does not count', async () => {
    const client = await connect({ hostname: EUS });
    const policy = serviceToken(EUS, undefined, Math.ceil(now / 1000) + 60);

    expect(await putToken(client, `${WEU}/devices/dev-1`, tokenOf('dev-1'))).toBe(401);
    expect(await putToken(client, WEU, policy)).toBe(401);
    expect(await putToken(client, EUS, serviceToken(WEU, undefined, Math.ceil(now / 1000) + 60))).toBe(401);
    expect(await putToken(client, EUS, policy)).toBe(200);
  });

  test('a certificate counts for the hub that the client has called, and for a name of its own for each hub', async () => {
    const certificate = await local.authority.issueDevice('dev-x');
    const authentication = { type: 'certificateAuthority' };
    await local.registry(WEU).create({ deviceId: 'dev-x', authentication });
    const sending = async (hostname: string) => {
      const { certificate: cert, key } = certificate;
      const client = await connect({ hostname, cert, key });
      return (await deliver(await client.sender('/devices/dev-x/messages/events'), data('x'))).result;
    };

    expect([await sending(WEU), await sending('localhost')]).toEqual(['accepted', 'accepted']);
    for (const other of [EUS, 'nothing.azure-devices.net']) {
      await expect(sending(other)).rejects.toMatchObject({ condition: 'amqp:unauthorized-access' });
    }
  });

  test.each([
    ['dev-1@sas.contoso-weu', true],
    ['dev-1@sas.contoso-weu.azure-devices.net', true],
    ['iothubowner@sas.root.contoso-weu', true],
    ['dev-2@sas.contoso-weu', false],
    ['dev-1@sas.contoso-eus', false],
    ['dev-1@sas.nothing', false],
  ])('SASL PLAIN as %s with a token of the device or policy: %s', async (username, isAccepted) => {
    const isPolicy = username.startsWith('iothubowner');
    const password = isPolicy ? serviceToken(WEU, undefined, Math.ceil(now / 1000) + 60) : tokenOf('dev-1');
    const opening = connect({ username, password }).then(
      () => true,
      () => false,
    );
    const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 400));

    expect(await Promise.race([opening, late])).toBe(isAccepted);
  });

  test('a device with SASL PLAIN needs no token for its links', async () => {
    const client = await connect({ username: 'dev-1@sas.contoso-weu', password: tokenOf('dev-1') });

    await deliver(await client.sender(`amqps://${WEU}${EVENTS}`), data('hello'));

    expect(telemetry()).toHaveLength(1);
  });

  test.each([
    ['without a token', EVENTS],
    ['of another device', '/devices/dev-2/messages/events'],
    ['of an unknown device', '/devices/absent/messages/events'],
  ])('a link %s is refused as unauthorized', async (name, address) => {
    const client = name === 'without a token' ? await connect() : await asDevice();

    await expect(client.sender(address)).rejects.toMatchObject({ condition: 'amqp:unauthorized-access' });
  });

  test('a message of a service with an impossible expiry is rejected, and the connection stays', async () => {
    const client = await connect();
    const token = serviceToken(WEU, undefined, Math.ceil(now / 1000) + 60);
    expect(await putToken(client, WEU, token)).toBe(200);
    const sender = await client.sender('/messages/devicebound');
    const expiring = (at: number) =>
      deliver(sender, data('hello', { to: DEVICE_BOUND, absolute_expiry_time: at }));

    expect(await expiring(9e15)).toEqual({ result: 'rejected', condition: 'com.microsoft:argument-error' });
    expect((await expiring(now + 60_000)).result).toBe('accepted');
  });

  test('a message of a service to a module is rejected as not implemented', async () => {
    const client = await connect();
    const token = serviceToken(WEU, undefined, Math.ceil(now / 1000) + 60);
    expect(await putToken(client, WEU, token)).toBe(200);
    const sender = await client.sender('/messages/devicebound');

    const outcome = await deliver(
      sender,
      data('hello', { to: '/devices/dev-1/modules/camera/messages/devicebound' }),
    );

    expect(outcome).toEqual({ result: 'rejected', condition: 'amqp:not-implemented' });
  });

  test('device streams are refused with a word', async () => {
    const client = await asDevice();

    await expect(client.sender('/devices/dev-1/streams')).rejects.toMatchObject({
      condition: 'amqp:not-implemented',
      description: expect.stringContaining('Device streams are not in the local hub'),
    });
  });

  test('a batch arrives as its messages', async () => {
    const sender = await (await asDevice()).sender(EVENTS);
    const one = (text: string, k: string) =>
      rhea.message.encode(data(text, { application_properties: { k } }));
    const batch = rhea.message.encode({
      body: rhea.message.data_sections([one('1', 'a'), one('2', 'b')]),
    } as unknown as Message);

    const { result } = await deliver(sender, batch, BATCH_FORMAT);

    expect(result).toBe('accepted');
    expect(telemetry().map(({ body, properties }) => [body, properties.k])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  test('system properties of every kind arrive as text', async () => {
    const sender = await (await asDevice()).sender(EVENTS);

    await deliver(
      sender,
      data('x', {
        message_id: 7,
        user_id: Buffer.from('me'),
        correlation_id: rhea.string_to_uuid('3d1f9a7e-3c3f-4b6a-9a53-0c4b3a0d5e6f'),
        application_properties: { number: 5, yes: true, list: ['a'] },
        message_annotations: { 'iothub-interface-id': 'urn:azureiot:Security:SecurityAgent:1' },
      }),
    );

    expect(telemetry()).toMatchObject([
      {
        messageId: '7',
        userId: 'me',
        correlationId: '3d1f9a7e-3c3f-4b6a-9a53-0c4b3a0d5e6f',
        properties: { number: '5', yes: 'true' },
        annotations: { 'iothub-interface-id': 'urn:azureiot:Security:SecurityAgent:1' },
      },
    ]);
    expect(telemetry()[0]?.properties).not.toHaveProperty('list');
  });

  test('a message that is not AMQP is rejected, and the next one is taken', async () => {
    const sender = await (await asDevice()).sender(EVENTS);

    const bad = await deliver(sender, Buffer.from('nonsense'), 0);
    const good = await deliver(sender, data('good'));

    expect([bad.condition, good.result]).toEqual(['amqp:decode-error', 'accepted']);
  });

  test('one connection carries several devices, and each is connected by its links', async () => {
    const client = await asDevice('dev-1');
    await putToken(client, `${WEU}/devices/dev-2`, tokenOf('dev-2'));
    const first = await client.sender(EVENTS);
    await client.sender('/devices/dev-2/messages/events');
    expect(local.hubs.view(WEU)?.connectedCount).toBe(2);

    first.close();
    await until(() => local.hubs.view(WEU)?.connectedCount === 1, 'the end of one device');

    expect(local.hubs.view(WEU)?.twin('dev-2')).toMatchObject({ connectionState: 'Connected' });
  });

  test('a device that the hub ends loses its links, and the others of the connection stay', async () => {
    const client = await asDevice('dev-1');
    await putToken(client, `${WEU}/devices/dev-2`, tokenOf('dev-2'));
    const first = await client.sender(EVENTS);
    const second = await client.sender('/devices/dev-2/messages/events');
    const closed = once(first, 'sender_error');

    local.hubs.view(WEU)?.remove('dev-1');
    await closed;

    expect((await deliver(second, data('still here'))).result).toBe('accepted');
  });

  test('the connection ends when the token expires, and lives on with a newer token', async () => {
    const short = await asDevice('dev-1', 1);
    await short.sender(EVENTS);
    const renewed = await asDevice('dev-2', 1);
    const sender = await renewed.sender('/devices/dev-2/messages/events');
    await putToken(renewed, `${WEU}/devices/dev-2`, tokenOf('dev-2', 3600));

    await ended(short);

    expect((await deliver(sender, data('still here'))).result).toBe('accepted');
  });

  const twinLinks = async (client: RawClient) => {
    const properties = { 'com.microsoft:channel-correlation-id': 'twin:1' };
    const replies = await client.receiver('/devices/dev-1/twin', { properties });
    const sender = await client.sender('/devices/dev-1/twin');
    const ask = async (operation: string, resource: string | undefined, body = ' ') => {
      sender.send(
        data(body, {
          correlation_id: operation,
          message_annotations: { operation, ...(resource !== undefined && { resource }) },
        }),
      );
      const [answer] = await replies.take(1);
      return answer;
    };
    return { replies, ask };
  };
  const textOf = (message: Message | undefined) =>
    (message as unknown as { body: { content: Buffer } }).body.content.toString();

  test('the answers to twin requests carry status, version and correlation id', async () => {
    const { ask } = await twinLinks(await asDevice());

    const read = await ask('GET', undefined);
    const reported = await ask('PATCH', '/properties/reported', '{"fps":25}');
    const refused = await ask('PATCH', '/properties/reported', '{"fps":');
    const unknown = await ask('GET', '/nothing');

    expect(JSON.parse(textOf(read))).toEqual({ desired: { $version: 1 }, reported: { $version: 1 } });
    expect(read).toMatchObject({ correlation_id: 'GET', message_annotations: { status: 200 } });
    expect(reported).toMatchObject({ message_annotations: { status: 200, version: 2 } });
    expect(refused).toMatchObject({ message_annotations: { status: 400 } });
    expect(JSON.parse(textOf(refused))).toMatchObject({ errorCode: expect.any(Number) });
    expect(unknown).toMatchObject({ message_annotations: { status: 400 } });
  });

  test('changes of desired properties are sent only between PUT and DELETE of the notifications', async () => {
    const { ask, replies } = await twinLinks(await asDevice());
    const desired = (value: number) =>
      local.hubs.view(WEU)?.edit('dev-1', { properties: { desired: { value } } }, 'service');

    desired(1);
    await ask('PUT', '/notifications/twin/properties/desired');
    desired(2);
    const [notification] = await replies.take(1);
    await ask('DELETE', '/notifications/twin/properties/desired');
    desired(3);
    const last = await ask('GET', undefined);

    expect(JSON.parse(textOf(notification))).toEqual({ value: 2, $version: 3 });
    expect(notification?.correlation_id).toBeUndefined();
    expect(JSON.parse(textOf(last)).desired).toEqual({ value: 3, $version: 4 });
  });

  const receive = async (client: RawClient, options: Record<string, unknown>) => {
    const link = client.connection.open_receiver({
      source: DEVICE_BOUND,
      credit_window: 0,
      autoaccept: false,
      autosettle: false,
      ...options,
    } as never);
    const contexts: EventContext[] = [];
    link.on('message', (context: EventContext) => contexts.push(context));
    await once(link, 'receiver_open');
    return { link, contexts };
  };

  test('cloud-to-device messages wait for credit, and their tags are lock tokens', async () => {
    await send('one');
    await send('two');
    const { link, contexts } = await receive(await asDevice(), {});

    link.add_credit(1);
    await eventually(() => contexts.length === 1, 'a message');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(contexts).toHaveLength(1);
    link.add_credit(1);
    await eventually(() => contexts.length === 2, 'the other message');

    expect(contexts.map(({ delivery }) => (delivery as unknown as { tag: Buffer }).tag.length)).toEqual([
      16, 16,
    ]);
  });

  test('the hub answers a device that settles in two steps', async () => {
    await send('one');
    const { link, contexts } = await receive(await asDevice(), { rcv_settle_mode: 1 });
    link.add_credit(1);
    await eventually(() => contexts.length === 1, 'a message');
    const settled = once(link, 'settled');

    contexts[0]?.delivery?.accept();
    await settled;

    await until(
      () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount === 0,
      'the empty queue',
    );
  });

  test.each<TransportName>(['Mqtt', 'Amqp'])(
    'over %s, a device gets the address that the service has written, and no property for an absent acknowledgement',
    async (transport) => {
      const device = await local.device(WEU, 'dev-1', KEY, transport);
      const got: DeviceMessage[] = [];
      device.on('message', (message: DeviceMessage) => got.push(message));
      await device.open();
      const username = 'iothubowner@sas.root.contoso-weu';
      const service = await connect({ username, password: serviceToken() });
      const to = '/devices/dev-1/messages/deviceBound';

      await deliver(
        await service.sender('/messages/devicebound'),
        data('hello', { to, application_properties: { k: 'v' } }),
      );
      await until(() => got.length === 1, 'the message');

      const names = Array.from(
        { length: got[0]?.properties.count() ?? 0 },
        (_, index) => got[0]?.properties.getItem(index).key,
      );
      expect([got[0]?.to, names]).toEqual([to, ['k']]);
      expect((got[0] as { ack?: string } | undefined)?.ack).toBeFalsy();
    },
  );

  test('a method call has a UUID as correlation id, and its answer is matched by it', async () => {
    const client = await asDevice();
    const calls: RawReceiver = await client.receiver('/devices/dev-1/methods/devicebound');
    const answers = await client.sender('/devices/dev-1/methods/devicebound');
    const invoking = local.call('POST', '/twins/dev-1/methods', {
      headers: { authorization: serviceToken(WEU, undefined, Math.ceil(now / 1000) + 3600) },
      body: { methodName: 'reboot', payload: { in: 5 }, responseTimeoutInSeconds: 5 },
    });
    const [call] = await calls.take(1);

    answers.send(
      data('{"done":true}', {
        correlation_id: call?.correlation_id,
        application_properties: { 'IoThub-status': rhea.types.wrap_int(207) },
      }),
    );

    expect((await invoking).body).toEqual({ status: 207, payload: { done: true } });
    expect(call).toMatchObject({ application_properties: { 'IoThub-methodname': 'reboot' } });
    expect(Buffer.isBuffer(call?.correlation_id)).toBe(true);
    expect(textOf(call)).toBe('{"in":5}');
  });

  test('the model that a link names is that of the device', async () => {
    const client = await asDevice();
    const link = client.connection.open_sender({
      target: EVENTS,
      properties: { 'com.microsoft:model-id': 'dtmi:com:example:Thermostat;1' },
    } as never);
    await once(link, 'sender_open');

    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({ modelId: 'dtmi:com:example:Thermostat;1' });
  });
});
