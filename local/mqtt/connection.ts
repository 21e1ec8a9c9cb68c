import {
  parser as createParser,
  generate,
  type IConnectPacket,
  type IPublishPacket,
  type ISubscription,
  type Packet,
} from 'mqtt-packet';
import type { ClientStream } from '../client-stream.ts';
import type { LocalLog } from '../log.ts';
import {
  CONNECT_REFUSED,
  type MqttConnection,
  type MqttDelivery,
  type MqttMessage,
  type MqttService,
  type MqttSession,
} from './service.ts';

/**
 * Largest accepted packet: a message of 256 KB (IoT Hub's limit, "IoT Hub quotas and throttling") with the longest
 * topic.
 */
const MAX_PACKET_BYTES = 256 * 1024 + 65_535 + 16;
const MAX_TEXT_BYTES = 65_535;
/** A client that does not send CONNECT within this time is dropped. */
const CONNECT_TIMEOUT_MS = 30_000;
/**
 * IoT Hub drops a client that sends nothing for 1.5 times its keep-alive, or for 1,767 s
 * (iot-mqtt-connect-to-iot-hub).
 */
const KEEP_ALIVE_FACTOR = 1.5;
const MAX_SILENCE_MS = 1_767_000;
/** IoT Hub allows a device five subscriptions at a time (iot-mqtt-connect-to-iot-hub). */
const MAX_SUBSCRIPTIONS = 5;
const SUBSCRIPTION_REFUSED = 128;
/**
 * While MAX_INBOX packets of a client wait, the server reads no more of them. A client that leaves MAX_UNREAD_BYTES
 * unread is dropped.
 */
const MAX_INBOX = 64;
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** Time for a client to read the last packet before its stream is destroyed. */
const LINGER_MS = 1_000;

/**
 * Serves MQTT 3.1.1 to one client until its stream closes. It handles one packet after the other, so that the
 * messages of a device keep their order. Only pings are answered at once. It never throws, for any input.
 */
export function serveConnection(client: ClientStream, services: readonly MqttService[], log: LocalLog): void {
  const { stream } = client;
  const parser = createParser({ protocolVersion: 4 });
  const inbox: Packet[] = [];
  /** The subscriptions with their QoS. */
  const filters = new Map<string, 0 | 1>();
  /** The messages that the client has not acknowledged, by their packet ids. */
  const unacknowledged = new Map<number, MqttDelivery>();
  let session: MqttSession | undefined;
  let greeted = false;
  let isClean = false;
  let ended = false;
  let working = false;
  /** The messages to the client while its publish is not acknowledged yet; undefined: they are sent at once. */
  let held: Packet[] | undefined;
  let silence = setTimeout(drop, CONNECT_TIMEOUT_MS);

  const connection: MqttConnection = {
    publish(filter, { topic, payload }, delivery) {
      const granted = filters.get(filter);
      if (ended || granted === undefined) return false;
      if (!isTopic(topic)) {
        log.warn(`A message with a topic of ${Buffer.byteLength(topic)} bytes cannot be sent over MQTT.`);
        return false;
      }
      const how = granted === 1 && delivery ? numbered(delivery) : { qos: 0 as const, dup: false };
      const packet: Packet = { cmd: 'publish', topic, payload, retain: false, ...how };
      if (held === undefined) send(packet);
      else held.push(packet);
      if (how.qos === 0) delivery?.acknowledged();
      return true;
    },
    close: end,
  };

  stream.on('data', (chunk) => {
    if (ended) return;
    silence.refresh();
    try {
      if (parser.parse(chunk) > MAX_PACKET_BYTES) drop();
    } catch {
      drop(); // no input is known on which the parser throws, but an error here would end the whole local stack
    }
  });
  stream.on('error', drop);
  stream.on('close', () => {
    ended = true;
    clearTimeout(silence);
    const closing = session;
    session = undefined;
    if (closing !== undefined) guarded(() => closing.closed(isClean));
  });
  parser.on('error', drop);
  parser.on('packet', (packet) => {
    if (packet.cmd === 'pingreq' && greeted) return send({ cmd: 'pingresp' });
    inbox.push({ ...packet }); // a copy, because the parser reuses its object
    if (inbox.length >= MAX_INBOX) stream.pause();
    void work();
  });

  async function work(): Promise<void> {
    if (working) return;
    working = true;
    for (let packet = inbox.shift(); packet !== undefined && !ended; packet = inbox.shift()) {
      try {
        await handle(packet);
      } catch (error) {
        log.warn(`An MQTT client was dropped: ${error instanceof Error ? error.message : 'unknown reason'}`);
        drop();
      }
      if (stream.isPaused() && inbox.length < MAX_INBOX / 2) stream.resume();
    }
    working = false;
  }

  async function handle(packet: Packet): Promise<void> {
    if (packet.cmd === 'connect') return greeted ? drop() : connect(packet);
    if (session === undefined) return drop();
    switch (packet.cmd) {
      case 'publish':
        if (packet.qos === 2) return drop(); // IoT Hub closes the connection on QoS 2
        return receive(session, packet);
      case 'subscribe':
        send({ cmd: 'suback', granted: subscribe(session, packet.subscriptions), ...idOf(packet) });
        return session.subscribed(new Map(filters));
      case 'unsubscribe':
        for (const filter of packet.unsubscriptions) filters.delete(filter);
        session.subscribed(new Map(filters));
        return send(reply('unsuback', packet));
      case 'puback':
        return acknowledged(packet.messageId ?? 0);
      case 'disconnect':
        isClean = true;
        return end();
      default:
        return drop();
    }
  }

  /**
   * Gives a message to the service. A message with QoS 1 is acknowledged before its answer is sent: the SDK for C#
   * ends the connection if the answer comes first.
   */
  async function receive(by: MqttSession, packet: IPublishPacket): Promise<void> {
    const message = {
      topic: packet.topic,
      payload: Buffer.from(packet.payload),
      ...(packet.retain === true && { isRetained: true }),
    };
    if (packet.qos === 0) return by.received(message);
    held = [];
    await by.received(message);
    send(reply('puback', packet));
    const answers = held;
    held = undefined;
    for (const answer of answers) send(answer);
  }

  async function connect(packet: IConnectPacket): Promise<void> {
    greeted = true;
    if (packet.protocolVersion !== 4) return refuse(CONNECT_REFUSED.protocolVersion);
    const userName = packet.username ?? '';
    const service = services.find((candidate) => candidate.claims(userName));
    if (service === undefined) return refuse(CONNECT_REFUSED.notAuthorized);
    const answer = await service.connect({
      clientId: packet.clientId,
      userName,
      password: packet.password?.toString(),
      cleanSession: packet.clean ?? false,
      ...willOf(packet),
      certificates: client.certificates(),
    });
    if ('refused' in answer) return refuse(answer.refused);
    if (ended) return;
    expectEvery(packet.keepalive ?? 0);
    for (const [filter, qos] of answer.restored) filters.set(filter, qos);
    send({ cmd: 'connack', returnCode: 0, sessionPresent: filters.size > 0 });
    session = answer;
    session.opened(connection);
  }

  function subscribe(to: MqttSession, wanted: readonly ISubscription[]): number[] {
    const granted = wanted.map(({ topic, qos }) => {
      const isRoom = filters.has(topic) || filters.size < MAX_SUBSCRIPTIONS;
      if (!isRoom || !to.grants(topic)) return SUBSCRIPTION_REFUSED;
      const highest = qos === 0 ? 0 : 1;
      filters.set(topic, highest);
      return highest;
    });
    return granted;
  }

  function numbered(delivery: MqttDelivery): { qos: 1; dup: boolean; messageId: number } {
    const { id, isSentAgain } = delivery.packetId();
    unacknowledged.set(id, delivery);
    return { qos: 1, dup: isSentAgain, messageId: id };
  }

  function acknowledged(messageId: number): void {
    const delivery = unacknowledged.get(messageId);
    unacknowledged.delete(messageId);
    delivery?.acknowledged();
  }

  function expectEvery(keepAliveSeconds: number): void {
    clearTimeout(silence);
    const limit = keepAliveSeconds === 0 ? MAX_SILENCE_MS : keepAliveSeconds * 1000 * KEEP_ALIVE_FACTOR;
    silence = setTimeout(
      () => (stream.isPaused() ? silence.refresh() : drop()),
      Math.min(limit, MAX_SILENCE_MS),
    );
  }

  function refuse(returnCode: number): void {
    send({ cmd: 'connack', returnCode, sessionPresent: false });
    end();
  }

  function send(packet: Packet): void {
    if (ended) return;
    guarded(() => {
      stream.write(generate(packet));
      if (stream.writableLength > MAX_UNREAD_BYTES) drop();
    });
  }

  /** Ends the connection after all data was sent. */
  function end(): void {
    if (ended) return;
    ended = true;
    inbox.length = 0;
    stream.resume();
    stream.end();
    const linger = setTimeout(() => stream.destroy(), LINGER_MS);
    stream.once('close', () => clearTimeout(linger));
  }

  function drop(): void {
    ended = true;
    inbox.length = 0;
    stream.destroy();
  }

  function guarded(effect: () => void): void {
    try {
      effect();
    } catch (error) {
      log.error(`An MQTT connection failed: ${error instanceof Error ? error.message : 'unknown reason'}`);
      drop();
    }
  }
}

/**
 * Whether a text can be a topic: an MQTT text has at most 65,535 bytes (MQTT 3.1.1, 1.5.3). Of a longer one, mqtt-packet writes only
 * the beginning of the packet.
 */
export function isTopic(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_TEXT_BYTES;
}

function willOf({ will }: IConnectPacket): { will?: MqttMessage } {
  if (!will) return {};
  const { topic, payload, retain } = will;
  return {
    will: { topic, payload: Buffer.from(payload ?? ''), ...(retain === true && { isRetained: true }) },
  };
}

function idOf(packet: Packet): { messageId?: number } {
  return packet.messageId === undefined ? {} : { messageId: packet.messageId };
}

function reply(cmd: 'puback' | 'unsuback', to: Packet): Packet {
  return { cmd, ...idOf(to) } as Packet;
}
