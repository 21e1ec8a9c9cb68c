import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { generate, type Packet } from 'mqtt-packet';
import { type CertificateAuthority, openAuthority } from '../../../local/ca/index.ts';
import {
  CONNECT_REFUSED,
  type MqttConnect,
  type MqttConnection,
  type MqttMessage,
  type MqttServer,
  type MqttSession,
  type MqttSubscriptions,
  startMqtt,
} from '../../../local/mqtt/index.ts';
import { until } from '../iot-hub/local-hubs.ts';
import { RawClient } from './raw-client.ts';

/** Bytes without a pattern, always the same. */
function noise(length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, index) =>
    createHash('sha512').update(`noise ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

/** A service that takes whoever calls itself `me/…` and remembers what happens. */
class RecordingService {
  readonly seen: string[] = [];
  connection: MqttConnection | undefined;
  request: MqttConnect | undefined;
  onMessage: (message: MqttMessage) => void | Promise<void> = () => {};
  restored: MqttSubscriptions = new Map();

  claims(userName: string): boolean {
    return userName.startsWith('me/');
  }

  async connect(request: MqttConnect): Promise<MqttSession | { refused: 5 }> {
    this.request = request;
    if (request.userName === 'me/refused') return { refused: CONNECT_REFUSED.notAuthorized };
    return {
      restored: this.restored,
      opened: (connection) => {
        this.connection = connection;
        this.seen.push('opened');
      },
      grants: (filter) => !filter.startsWith('forbidden'),
      subscribed: (filters) => void this.seen.push(`subscribed ${[...filters.keys()].join(' ')}`),
      received: (message) => {
        this.seen.push(`received ${message.topic}`);
        return this.onMessage(message);
      },
      closed: () => void this.seen.push('closed'),
    };
  }
}

const CONNECT: Packet = {
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clientId: 'c',
  clean: true,
  keepalive: 60,
  username: 'me/c',
  password: Buffer.from('secret'),
};

const publish = (topic: string, qos: 0 | 1 | 2, messageId = 7): Packet => ({
  cmd: 'publish',
  topic,
  payload: 'x',
  qos,
  dup: false,
  retain: false,
  ...(qos > 0 && { messageId }),
});

describe('the MQTT server', () => {
  let authority: CertificateAuthority;
  let service: RecordingService;
  let server: MqttServer;
  let log: string[];
  const clients: RawClient[] = [];

  beforeEach(async () => {
    authority ??= await openAuthority();
    service = new RecordingService();
    log = [];
    const write = (line: string) => void log.push(line);
    server = await startMqtt({
      port: 0,
      certificate: authority.server,
      services: [service],
      log: { info: write, warn: write, error: write },
    });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await server.close();
  });

  const open = (): RawClient => {
    const client = new RawClient(server.port, authority.root);
    clients.push(client);
    return client;
  };
  const accepted = async (): Promise<RawClient> => {
    const client = open();
    client.send(CONNECT);
    await client.answer('connack');
    return client;
  };
  /** That nothing a client did before has hurt the server. */
  const stillServes = async (): Promise<void> => {
    const client = await accepted();
    client.send({ cmd: 'pingreq' });
    await client.answer('pingresp');
  };

  test('reports each client to the service and confirms the connection', async () => {
    const client = await accepted();

    expect(await client.answer('connack')).toMatchObject({ returnCode: 0, sessionPresent: false });
    expect(service.request).toMatchObject({
      clientId: 'c',
      userName: 'me/c',
      password: 'secret',
      cleanSession: true,
      certificates: [],
    });
    expect(service.seen).toEqual(['opened']);
  });

  test.each<[string, Partial<Packet>, number]>([
    ['that the service refuses', { username: 'me/refused' } as Partial<Packet>, 5],
    ['that belongs to no service', { username: 'you/c' } as Partial<Packet>, 5],
    ['that speaks MQTT 5', { protocolVersion: 5 } as Partial<Packet>, 1],
    ['that speaks MQTT 3.1', { protocolVersion: 3, protocolId: 'MQIsdp' } as Partial<Packet>, 1],
  ])('refuses a client %s', async (_name, difference, returnCode) => {
    const client = open();
    client.send({ ...CONNECT, ...difference } as Packet);

    expect(await client.answer('connack')).toMatchObject({ returnCode });
    await client.closed;
    expect(service.seen).toEqual([]);
  });

  test('grants at most QoS 1, and refuses the sixth subscription and topics that the service does not grant', async () => {
    const client = await accepted();
    const topics = ['a', 'forbidden', 'b', 'c', 'd', 'e', 'f', 'a'];
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: topics.map((topic, index) => ({ topic, qos: (index % 3) as 0 | 1 | 2 })),
    } as Packet);

    expect(await client.answer('suback')).toMatchObject({ granted: [0, 128, 1, 0, 1, 1, 128, 1] });
    expect(service.seen).toContain('subscribed a b c d e');
  });

  test('sends only what the client is subscribed to', async () => {
    const client = await accepted();
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/#', qos: 1 }] } as Packet);
    await client.answer('suback');

    const sent = service.connection?.publish('a/#', { topic: 'a/1', payload: Buffer.from('hi') });
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a/#'] } as Packet);
    await client.answer('unsuback');
    const unsent = service.connection?.publish('a/#', { topic: 'a/2', payload: Buffer.from('hi') });
    client.send({ cmd: 'pingreq' });
    await client.answer('pingresp');

    expect([sent, unsent]).toEqual([true, false]);
    const received = client.packets.filter(({ cmd }) => cmd === 'publish');
    expect(received).toMatchObject([{ topic: 'a/1', payload: Buffer.from('hi'), qos: 0 }]);
  });

  test('restores the subscriptions of a client', async () => {
    service.restored = new Map([['a/#', 1]]);
    const client = await accepted();

    expect(await client.answer('connack')).toMatchObject({ sessionPresent: true });
    expect(service.connection?.publish('a/#', { topic: 'a', payload: Buffer.alloc(0) })).toBe(true);
  });

  test('acknowledges messages one after another, when the service has processed them', async () => {
    const client = await accepted();
    const release: (() => void)[] = [];
    service.onMessage = () => new Promise<void>((resolve) => void release.push(resolve));
    client.send(publish('first', 1, 1), publish('second', 1, 2), { cmd: 'pingreq' });

    await client.answer('pingresp'); // pings do not wait
    expect(service.seen).toEqual(['opened', 'received first']);
    release.shift()?.();
    expect(await client.answer('puback')).toMatchObject({ messageId: 1 });
    await until(() => release.length === 1, 'the second message');
    release.shift()?.();
    expect(await client.answer('puback', 2)).toMatchObject({ messageId: 2 });
  });

  test('keeps the order of a thousand messages sent at once', async () => {
    const client = await accepted();
    service.onMessage = () => new Promise((resolve) => setImmediate(resolve));
    client.send(...Array.from({ length: 1000 }, (_, index) => publish(`t${index}`, 1, index + 1)));

    await client.answer('puback', 1000);
    expect(service.seen.slice(1)).toEqual(Array.from({ length: 1000 }, (_, index) => `received t${index}`));
  });

  test.each<[string, Packet[]]>([
    ['QoS 2', [publish('a', 2)]],
    ['a second CONNECT', [CONNECT]],
    ['packets of a server', [{ cmd: 'connack', returnCode: 0, sessionPresent: false }]],
  ])('drops a client that sends %s', async (_name, packets) => {
    const client = await accepted();
    client.send(...packets);

    await client.closed;
    await until(() => service.seen.includes('closed'), 'the session to end');
    await stillServes();
  });

  test('drops a client whose message the service cannot process, and logs the reason', async () => {
    const client = await accepted();
    service.onMessage = () => {
      throw new Error('not like this');
    };
    client.send(publish('a', 0));

    await client.closed;
    expect(log).toEqual(['An MQTT client was dropped: not like this']);
    await stillServes();
  });

  test('drops a client that is silent for one and a half times its keep-alive', async () => {
    const client = open();
    const from = Date.now();
    client.send({ ...CONNECT, keepalive: 1 } as Packet);
    await client.answer('connack');

    await client.closed;
    expect(Date.now() - from).toBeGreaterThanOrEqual(1_400);
  });

  test('reports the end of a connection once, with or without DISCONNECT', async () => {
    const polite = await accepted();
    polite.send({ cmd: 'disconnect' });
    await polite.closed;
    await until(() => service.seen.length === 2, 'the first to be gone');
    const rude = await accepted();
    rude.socket.destroy();
    await until(() => service.seen.length === 4, 'the second to be gone');

    expect(service.seen).toEqual(['opened', 'closed', 'opened', 'closed']);
  });

  describe('the MQTT server and clients that break the protocol', () => {
    test.each<[string, Buffer]>([
      ['garbage', noise(4096)],
      ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
      [
        'a CONNECT cut in the middle of a string',
        Buffer.from([0x10, 8, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0xc2]),
      ],
      ['a length that never ends', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff])],
      ['a packet of type 0', Buffer.from([0x00, 0x00])],
      ['PUBLISH before CONNECT', generate(publish('a', 0))],
      [
        'an empty packet of each type',
        Buffer.from(Array.from({ length: 16 }, (_, type) => [type << 4, 0]).flat()),
      ],
    ])('the server survives %s', async (_name, bytes) => {
      const client = open();
      client.socket.write(bytes);

      await client.closed;
      await stillServes();
    });

    test('the server survives malformed packets after CONNECT', async () => {
      for (let type = 0; type < 16; type += 1) {
        const client = await accepted();
        client.socket.write(Buffer.concat([Buffer.from([(type << 4) | (type % 4), 40]), noise(40)]));
        client.socket.write(generate({ cmd: 'disconnect' }));
        await client.closed;
      }
      await stillServes();
    });

    test('the server survives a packet above the maximum message size', async () => {
      const client = await accepted();
      client.send({ ...publish('a', 0), payload: Buffer.alloc(2 * 1024 * 1024) } as Packet);

      await client.closed;
      expect(service.seen).not.toContain('received a');
      await stillServes();
    });

    test('the server survives a client without TLS, and one that disconnects during the handshake', async () => {
      const { connect: connectPlain } = await import('node:net');
      for (const bytes of ['hello', '\u0016\u0003\u0001']) {
        const socket = connectPlain(server.port, '127.0.0.1');
        socket.on('error', () => {});
        await new Promise((resolve) => socket.once('connect', resolve));
        socket.end(bytes);
        await new Promise((resolve) => socket.once('close', resolve));
      }
      await stillServes();
    });

    test('the server survives a client that does not read', async () => {
      const client = await accepted();
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] } as Packet);
      await client.answer('suback');
      client.socket.pause();
      const payload = Buffer.alloc(256 * 1024);
      for (let count = 0; count < 100; count += 1) service.connection?.publish('a', { topic: 'a', payload });

      await until(() => service.seen.includes('closed'), 'the client to be dropped');
      await stillServes();
    });
  });

  test('a message with a topic above 65,535 bytes is not sent and not acknowledged, and the next one arrives whole', async () => {
    const client = open();
    client.send(CONNECT, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/#', qos: 0 }] });
    await client.answer('suback');
    let acknowledged = 0;
    const delivery = {
      packetId: () => ({ id: 1, isSentAgain: false }),
      acknowledged() {
        acknowledged += 1;
      },
    };
    const longest = `a/${'x'.repeat(65_533)}`;
    const send = (topic: string) =>
      service.connection?.publish('a/#', { topic, payload: Buffer.from('hello') }, delivery);

    expect([send(`${longest}x`), send(longest), send('a/b')]).toEqual([false, true, true]);

    await client.answer('publish', 2);
    expect(client.packets.slice(2)).toMatchObject([
      { topic: longest, payload: Buffer.from('hello') },
      { topic: 'a/b', payload: Buffer.from('hello') },
    ]);
    expect(acknowledged).toBe(2);
  });

  test('a message with QoS 1 is acknowledged before its answer and everything else that is published meanwhile', async () => {
    const client = open();
    client.send(CONNECT, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'answers/#', qos: 0 }] });
    await client.answer('suback');
    service.onMessage = async ({ topic }) => {
      service.connection?.publish('answers/#', { topic: `answers/${topic}`, payload: Buffer.from('1') });
      await new Promise((resolve) => setTimeout(resolve, 20));
      service.connection?.publish('answers/#', { topic: `answers/${topic}`, payload: Buffer.from('2') });
    };

    client.send(publish('a', 1, 7), publish('b', 0), publish('c', 1, 8));

    await client.answer('publish', 6);
    const order = client.packets
      .slice(2)
      .map((packet) => (packet.cmd === 'publish' ? packet.topic : packet.cmd));
    expect(order).toEqual([
      'puback',
      'answers/a',
      'answers/a',
      'answers/b',
      'answers/b',
      'puback',
      'answers/c',
      'answers/c',
    ]);
  });
});
