import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import rhea, { type Message } from 'rhea';
import { createAbsentService } from '../../../local/amqp/absent-service.ts';
import {
  type AmqpServer,
  type AmqpService,
  guarded,
  Outbox,
  type Outcome,
  openInbox,
  startAmqp,
} from '../../../local/amqp/index.ts';
import { type CertificateAuthority, openAuthority } from '../../../local/ca/index.ts';
import { connectRaw, deliver, type RawClient, socketOf } from '../event-hubs/raw-client.ts';
import { eventually } from '../event-hubs/reading.ts';

const data = (text: string) => ({ body: rhea.message.data_section(Buffer.from(text)) }) as unknown as Message;

/** A service with a node `in` that takes messages, and a node `out` that sends the queued ones. */
function echoService(name: string, host: string, taken: string[]) {
  const outcomes: Outcome[] = [];
  const seen: (string | undefined)[] = [];
  const closed: string[] = [];
  const service: AmqpService = {
    name,
    serves: (other) => other === host,
    checkPlain({ userName, password }) {
      if (!userName.endsWith(name)) return undefined;
      return password === 'right' ? { connect: (client) => service.connect(client) } : 'refused';
    },
    connect: (client) => {
      seen.push(client.host);
      return {
        putToken: ({ audience, token }) =>
          audience.includes(name)
            ? { status: token === 'right' ? 200 : 401, description: `${name} has looked` }
            : undefined,
        node: (address) => {
          if (address === `${name}/in`)
            return {
              openReceiver({ link, whenClosed }) {
                const take = async (message: Buffer) => {
                  const { body } = rhea.message.decode(message) as unknown as { body: { content: Buffer } };
                  taken.push(body.content.toString());
                  return body.content.toString() === 'bad'
                    ? { condition: 'amqp:not-allowed', description: 'bad' }
                    : undefined;
                };
                openInbox({ client, receiver: link, maxMessageSize: 1_000, take });
                whenClosed(() => closed.push('in'));
                return undefined;
              },
            };
          if (address === `${name}/out`)
            return {
              openSender({ link }) {
                const outbox = new Outbox(link, true);
                for (const text of ['1', '2', '3'])
                  outbox.send({
                    message: rhea.message.encode(data(text)),
                    settled: (outcome) => {
                      outcomes.push(outcome);
                      return undefined;
                    },
                  });
                return undefined;
              },
            };
          return undefined;
        },
        closed: () => closed.push('session'),
      };
    },
  };
  return { service, outcomes, seen, closed };
}

/** A service that throws in all places that run in a callback. `fails` and `seldom` are nodes that send. */
function defectiveService(): AmqpService {
  const fail = (): never => {
    throw new Error('a defect');
  };
  return {
    name: 'defective',
    serves: () => false,
    connect: (client) => ({
      putToken: ({ audience }) =>
        audience.includes('defective') ? Promise.reject(new Error('a defect')) : undefined,
      node(address) {
        switch (address) {
          case 'defective/credit':
            return {
              openSender({ link }) {
                new Outbox(link, true, fail);
                return undefined;
              },
            };
          case 'defective/settled':
            return {
              openSender({ link }) {
                new Outbox(link, true).send({ message: rhea.message.encode(data('x')), settled: fail });
                return undefined;
              },
            };
          case 'defective/guarded':
            return {
              openSender({ link }) {
                setImmediate(() => guarded(link, fail));
                return undefined;
              },
            };
          case 'defective/take':
            return {
              openReceiver({ link }) {
                openInbox({ client, receiver: link, maxMessageSize: 1_000, take: async () => fail() });
                return undefined;
              },
            };
          case 'defective/closed':
            return {
              openReceiver({ link, whenClosed }) {
                openInbox({ client, receiver: link, maxMessageSize: 1_000, take: async () => undefined });
                whenClosed(fail);
                return undefined;
              },
            };
          default:
            return undefined;
        }
      },
      closed: () => {},
    }),
  };
}

/** The last performative of each kind that the server sends, as rhea reads it. */
interface Performative {
  readonly value: readonly unknown[];
}

function seenFrames({ connection }: RawClient): Record<string, Performative> {
  const internals = connection as unknown as Record<string, (frame: { performative: Performative }) => void>;
  const { open } = (connection as unknown as { remote: { open: Performative } }).remote;
  const frames: Record<string, Performative> = { open };
  for (const name of ['begin', 'attach', 'flow', 'transfer', 'disposition', 'detach', 'close']) {
    const read = internals[`on_${name}`]?.bind(connection);
    internals[`on_${name}`] = (frame) => {
      frames[name] = frame.performative;
      read?.(frame);
    };
  }
  return frames;
}

describe('the AMQP server', () => {
  let authority: CertificateAuthority;
  let server: AmqpServer;
  let taken: string[];
  let log: string[];
  let one: ReturnType<typeof echoService>;
  let two: ReturnType<typeof echoService>;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    authority = await openAuthority();
    taken = [];
    log = [];
    one = echoService('one', 'one.example', taken);
    two = echoService('two', 'two.example', taken);
    const absent = createAbsentService({
      name: 'absent',
      hosts: /^absent\.example$/,
      knows: (address) => address.startsWith('absent'),
      reason: 'This is not here.',
    });
    server = await startAmqp({
      port: 0,
      services: [one.service, two.service, absent, defectiveService()],
      certificate: authority.server,
      log: { info() {}, warn: (line) => void log.push(line), error: (line) => void log.push(line) },
    });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await server.close();
  });

  const connect = async (options: Record<string, unknown> = {}) => {
    const client = await connectRaw(server.port, {
      username: undefined,
      password: undefined,
      transport: 'tls',
      ca: authority.root,
      host: 'localhost',
      hostname: 'localhost',
      ...options,
    });
    clients.push(client);
    return client;
  };

  test('gives a link to the service that knows its address, for a host name that no service has', async () => {
    const client = await connect();

    const sender = await client.sender('two/in');
    await deliver(sender, data('hello'));

    expect(taken).toEqual(['hello']);
    await expect(client.sender('three/in')).rejects.toMatchObject({ condition: 'amqp:not-allowed' });
    await expect(client.sender('two/out')).rejects.toMatchObject({ condition: 'amqp:not-allowed' });
  });

  test('gives a client only to the service of its host name', async () => {
    const client = await connect({ hostname: 'ONE.example:5671' });

    expect(one.seen).toEqual(['one.example']);
    expect(two.seen).toEqual([]);
    await expect(client.sender('two/in')).rejects.toMatchObject({ condition: 'amqp:not-allowed' });
  });

  test('takes the host name of TLS if the open frame names none', async () => {
    await connect({ hostname: undefined, servername: 'two.example', checkServerIdentity: () => undefined });

    expect(two.seen).toEqual(['two.example']);
  });

  test.each<[string, (client: RawClient) => Promise<unknown>]>([
    [
      'gets credit',
      async (client) => {
        const { link } = await client.receiver('defective/credit');
        link.add_credit(1);
      },
    ],
    [
      'is told the outcome of a message',
      async (client) => {
        const { link } = await client.receiver('defective/settled');
        link.add_credit(1);
      },
    ],
    ['is called by another client', (client) => client.receiver('defective/guarded')],
    ['takes a message', async (client) => (await client.sender('defective/take')).send(data('x'))],
    ['is told the end of a link', async (client) => (await client.sender('defective/closed')).close()],
    [
      'checks a token',
      async (client) =>
        (await client.sender('$cbs')).send({
          application_properties: { operation: 'put-token', name: 'defective', type: 'x' },
          body: 'token',
        }),
    ],
  ])(
    'ends only the connection of the client for which its service throws when it %s',
    async (_when, provoke) => {
      const other = await connect();
      const sender = await other.sender('one/in');
      const client = await connect();
      const ended = once(socketOf(client.connection), 'close');

      provoke(client).catch(() => {}); // it may wait for an answer that never comes
      await ended;

      expect(log).toEqual(expect.arrayContaining([expect.stringContaining('a defect')]));
      expect(await deliver(sender, data('hello'))).toMatchObject({ result: 'accepted' });
    },
  );

  test('accepts, rejects and limits messages one after the other', async () => {
    const client = await connect();
    const sender = await client.sender('one/in');

    const results = await Promise.all(
      ['a', 'bad', 'b', 'x'.repeat(1_001), 'c'].map((text) => deliver(sender, data(text))),
    );

    expect(results.map(({ result, condition }) => condition ?? result)).toEqual([
      'accepted',
      'amqp:not-allowed',
      'accepted',
      'amqp:link:message-size-exceeded',
      'accepted',
    ]);
    expect(taken).toEqual(['a', 'bad', 'b', 'c']);
  });

  test('sends no message without credit, and tells the service what the client did with each', async () => {
    const client = await connect();
    const receiver = client.connection.open_receiver({
      source: 'one/out',
      credit_window: 0,
      autoaccept: false,
    } as never);
    const bodies: string[] = [];
    receiver.on('message', ({ message, delivery }) => {
      const body = (message as { body: { content: Buffer } }).body.content.toString();
      bodies.push(body);
      if (body === '1') delivery?.accept();
      else if (body === '2') delivery?.reject();
      else delivery?.modified({ delivery_failed: true });
    });
    await once(receiver, 'receiver_open');

    receiver.add_credit(2);
    await eventually(() => one.outcomes.length === 2, 'two outcomes');
    expect(bodies).toEqual(['1', '2']);
    receiver.add_credit(1);
    await eventually(() => one.outcomes.length === 3, 'the third outcome');

    expect(one.outcomes).toEqual(['accepted', 'rejected', 'released']);
  });

  test('writes all fields of each frame, as Azure does, because some clients read them by position', async () => {
    const client = await connect();
    const frames = seenFrames(client);

    await deliver(await client.sender('one/in'), data('hello'));
    const receiver = client.connection.open_receiver('one/out');
    await once(receiver, 'message');
    receiver.close();
    await once(receiver, 'receiver_close');
    client.connection.close();
    await once(client.connection, 'connection_close');

    expect(
      Object.fromEntries(Object.entries(frames).map(([name, { value }]) => [name, value.length])),
    ).toEqual({
      open: 10,
      begin: 8,
      attach: 14,
      flow: 11,
      transfer: 11,
      disposition: 6,
      detach: 3,
      close: 1,
    });
    expect(frames.begin).toMatchObject({ handle_max: 262_143 });
  });

  test('answers a reader with the properties and the message size of its attach frame, as Azure does', async () => {
    const client = await connect();
    const frames = seenFrames(client);

    const receiver = client.connection.open_receiver({
      source: 'one/out',
      properties: { 'com.example:reader': 'r-1' },
      max_message_size: 1_048_576,
    } as never);
    await once(receiver, 'receiver_open');

    expect(frames.attach).toMatchObject({
      properties: { 'com.example:reader': 'r-1' },
      max_message_size: 1_048_576,
    });
  });

  test('answers a writer with the settle modes of its attach frame, as Azure does', async () => {
    const client = await connect();
    const frames = seenFrames(client);

    const sender = client.connection.open_sender({
      target: 'one/in',
      snd_settle_mode: 1,
      rcv_settle_mode: 0,
    } as never);
    await once(sender, 'sendable');
    sender.send(data('settled'));
    await eventually(() => taken.length === 1, 'the message');

    expect(frames.attach).toMatchObject({ snd_settle_mode: 1, rcv_settle_mode: 0 });
  });

  test.each([
    ['user@one', 'right', true],
    ['user@two', 'right', true],
    ['user@two', 'wrong', false],
    ['user@three', 'right', false],
  ])('a login as %s with the password %s: %s', async (username, password, isAccepted) => {
    const opening = connect({ username, password }).then(
      () => true,
      () => false,
    );
    const failed = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300));

    expect(await Promise.race([opening, failed])).toBe(isAccepted);
  });

  test.each([
    ['for-one', 'right', 200, 'one has looked'],
    ['for-two', 'wrong', 401, 'two has looked'],
    ['for-three', 'right', 404, "The entity 'for-three' could not be found."],
    ['absent/thing', 'right', 501, expect.stringContaining('This is not here.')],
  ])('a token for %s that is %s gets %i', async (name, token, status, description) => {
    const client = await connect();
    const replies = await client.receiver('$cbs', { target: 'me' });
    const sender = await client.sender('$cbs');
    sender.send({
      message_id: 'a',
      reply_to: 'me',
      application_properties: { operation: 'put-token', type: 'sastoken', name },
      body: token,
    });

    const [answer] = await replies.take(1);

    expect(answer).toMatchObject({
      correlation_id: 'a',
      application_properties: { 'status-code': status, 'status-description': description },
    });
  });

  test('tells the clients of an absent service the reason', async () => {
    const client = await connect({ hostname: 'absent.example' });
    await eventually(() => client.connection.error !== undefined, 'the close frame');

    expect(client.connection.error).toMatchObject({
      condition: 'amqp:not-implemented',
      description: expect.stringContaining('This is not here.'),
    });
  });

  test('closes the links and the session of a client that is gone', async () => {
    const client = await connect();
    await client.sender('one/in');

    client.destroy();
    await eventually(() => one.closed.length === 2, 'the end');

    expect(one.closed).toEqual(['in', 'session']);
  });

  test('asks for a certificate but does not require one', async () => {
    const socket = connectTls({ host: 'localhost', port: server.port, ca: authority.root });

    await once(socket, 'secureConnect');

    expect(socket.authorized).toBe(true);
    socket.destroy();
  });
});
