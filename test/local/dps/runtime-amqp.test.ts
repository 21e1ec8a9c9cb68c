import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import rhea, { type Connection, type EventContext, type Message, type Sender } from 'rhea';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import { WEU } from '../iot-hub/local-hubs.ts';
import {
  customGroup,
  GROUP_KEY,
  ID_SCOPE,
  type LocalDps,
  startLocalDps,
  startWebhook,
  type Webhook,
} from './local-dps.ts';

interface AmqpAnswer {
  readonly properties: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
  readonly body: any;
}

/** The wire form, for devices that are written without Microsoft's SDK for Node.js. */
describe('the runtime API over AMQP', () => {
  let webhook: Webhook;
  let local: LocalDps;
  let connection: Connection | undefined;

  beforeEach(async () => {
    webhook = await startWebhook();
    local = await startLocalDps([customGroup(webhook)], { retryAfter: 3 });
  });
  afterEach(async () => {
    connection?.close();
    await local.close();
    await webhook.close();
  });

  const address = `${ID_SCOPE}/registrations/dev-1`;
  const token = (id = 'dev-1') =>
    SharedAccessSignature.create(
      encodeURIComponent(`${ID_SCOPE}/registrations/${id}`),
      'registration',
      deriveDeviceKey(GROUP_KEY, id),
      Math.ceil(Date.now() / 1000) + 3600,
    ).toString();

  /** Opens both links, as the SDKs do: the receiver first. */
  async function open(login: { readonly username?: string; readonly password?: string } = {}): Promise<{
    call(properties: object, body?: Message['body'], correlationId?: unknown): Promise<AmqpAnswer>;
  }> {
    const opened = rhea.create_container().connect({
      host: 'localhost',
      port: local.ports.amqps,
      transport: 'tls',
      ca: local.authority.root,
      reconnect: false,
      username: login.username ?? address,
      password: login.password ?? token(),
    });
    connection = opened;
    opened.on('disconnected', () => {});
    const waiting = new Map<unknown, (answer: AmqpAnswer) => void>();
    opened.open_receiver(address).on('message', ({ message }: EventContext) => {
      if (message === undefined) return;
      const { content } = message.body as { readonly content: Buffer };
      const answer = { properties: message.application_properties ?? {}, body: JSON.parse(String(content)) };
      waiting.get(String(message.correlation_id))?.(answer);
    });
    const sender = await new Promise<Sender>((resolve, reject) => {
      const link = opened.open_sender(address);
      link.once('sendable', () => resolve(link));
      opened.once('connection_error', () => reject(new Error('The connection was refused.')));
    });
    return {
      call: (application_properties, body = '', correlationId = randomUUID()) =>
        new Promise((resolve, reject) => {
          const correlation_id = correlationId as string;
          waiting.set(String((correlationId as { value?: unknown }).value ?? correlationId), resolve);
          sender.once('rejected', ({ delivery }: EventContext) =>
            reject(
              (delivery as unknown as { readonly remote_state: { readonly error: unknown } }).remote_state
                .error,
            ),
          );
          sender.send({ correlation_id, application_properties, body });
        }),
    };
  }
  const register = { 'iotdps-operation-type': 'iotdps-register', 'iotdps-forceRegistration': false };
  const json = (value: unknown) => rhea.message.data_section(Buffer.from(JSON.stringify(value)));

  test('accepts a registration, answers the polls, and shows the state at the end', async () => {
    webhook.answers({ status: 200, body: { iotHubHostName: WEU, payload: { a: 1 } } });
    const { call } = await open();

    const accepted = await call(register, json({ registrationId: 'dev-1', payload: { p: 1 } }));
    expect(accepted).toMatchObject({
      properties: { 'iotdps-status': 202, 'retry-after': 3, 'Retry-After': 3 },
      body: { operationId: expect.any(String), status: 'assigning' },
    });
    const poll = {
      'iotdps-operation-type': 'iotdps-get-operationstatus',
      'iotdps-operation-id': accepted.body.operationId,
    };
    let polled = await call(poll);
    while (polled.body.status === 'assigning') polled = await call(poll);

    expect(polled).toMatchObject({
      properties: { 'iotdps-status': 200 },
      body: { status: 'assigned', registrationState: { assignedHub: WEU, payload: { a: 1 } } },
    });
    expect(await call({ 'iotdps-operation-type': 'iotdps-get-registration' })).toMatchObject({
      body: polled.body.registrationState,
    });
    expect(webhook.requests[0].deviceRuntimeContext.payload).toEqual({ p: 1 });
  });

  test('accepts a registration without a body, as the SDK for C# sends it', async () => {
    const { call } = await open();
    expect((await call(register, rhea.message.data_section(Buffer.alloc(0)))).body.status).toBe('assigning');
  });

  test.each<[string, unknown]>([
    ['a binary', rhea.types.wrap_binary(Buffer.from('abc'))],
    ['a binary of sixteen bytes', rhea.types.wrap_binary(Buffer.from('sixteen-letters!'))],
    ['a number', rhea.types.wrap_ulong(7)],
  ])('answers with the correlation id of the request if it is %s', async (_what, correlationId) => {
    const { call } = await open();

    expect((await call(register, json({}), correlationId)).body.status).toBe('assigning');
  });

  test.each<[string, unknown]>([
    ['true', rhea.types.wrap_boolean(true)],
    ['a negative number', rhea.types.wrap_long(-1)],
    ['a time', rhea.types.wrap_timestamp(0)],
    ['a list', rhea.types.wrap_list([])],
  ])(
    'rejects a request with %s as its correlation id, and answers the next one',
    async (_what, correlationId) => {
      const { call } = await open();

      const error = await call(register, json({}), correlationId).catch((reason: unknown) => reason);

      expect(error).toMatchObject({ condition: 'com.microsoft:argument-error' });
      expect((await call(register, json({}))).body.status).toBe('assigning');
    },
  );

  test.each<[string, object, unknown, string, number]>([
    [
      'an unknown operation',
      { 'iotdps-operation-type': 'iotdps-delete' },
      {},
      'com.microsoft:argument-error',
      400004,
    ],
    ['no operation', {}, {}, 'com.microsoft:argument-error', 400004],
    [
      'the status of an unknown operation',
      { 'iotdps-operation-type': 'iotdps-get-operationstatus', 'iotdps-operation-id': '5.0.0' },
      {},
      'amqp:not-found',
      404201,
    ],
    ['a payload that is a text', register, { payload: 'x' }, 'com.microsoft:argument-error', 400012],
    [
      'the id of another device',
      register,
      { registrationId: 'dev-2' },
      'com.microsoft:argument-error',
      400004,
    ],
    [
      'a body over 96 KB',
      register,
      { payload: { p: 'x'.repeat(98_500) } },
      'amqp:link:message-size-exceeded',
      413001,
    ],
  ])('rejects %s with the body of the refusal', async (_, properties, body, condition, errorCode) => {
    const { call } = await open();

    const error = (await call(properties, json(body)).catch((reason: unknown) => reason)) as {
      readonly condition: string;
      readonly description: string;
    };

    expect(error).toMatchObject({ condition });
    expect(JSON.parse(error.description)).toMatchObject({ errorCode, trackingId: expect.any(String) });
    expect(webhook.requests).toEqual([]);
  });

  test.each([
    ['a token of another device', { username: address, password: '' }],
    ['the user name of another device', { username: `${ID_SCOPE}/registrations/dev-2`, password: '' }],
    ['another ID scope', { username: '0neOTHER/registrations/dev-1', password: '' }],
  ])('a device with %s connects, and its requests are rejected', async (_, { username }) => {
    const { call } = await open({ username, password: token('dev-2') });

    await expect(call(register, json({}))).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
      description: expect.stringContaining('401002'),
    });
  });
});
