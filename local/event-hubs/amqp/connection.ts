import type { Socket } from 'node:net';
import type { Connection, Container } from 'rhea';
import type { LocalLog } from '../../log.ts';
import { FrameGate } from './frame-gate.ts';
import { PlainMechanism } from './plain-mechanism.ts';
import { connectionInternals } from './rhea-internals.ts';

/** Values of the open frame of Event Hubs (frame traces in Azure/azure-sdk-for-python#5316, #11708). */
const MAX_FRAME_SIZE = 65_536;
const CHANNEL_MAX = 4_999;
const IDLE_TIME_OUT_MS = 240_000;

/** Smallest frame size that a peer must accept (OASIS AMQP 1.0, part 2, section 2.7.1). */
const MIN_MAX_FRAME_SIZE = 512;

/** A client that does not open its connection within this time is disconnected. */
const OPEN_TIME_OUT_MS = 60_000;

/**
 * Links of readers. As in Event Hubs, events are sent settled (frame trace in vcabbage/amqp#43). A client reads a lost
 * event again by its position.
 */
const SENDER_OPTIONS = { snd_settle_mode: 1 } as const;
/** Links of producers. A message is accepted only after it is stored. */
const RECEIVER_OPTIONS = { autoaccept: false, autosettle: true, credit_window: 1_000 } as const;

/**
 * Serves AMQP on a socket. An error of a client ends only its own connection. Without the guards here, rhea would
 * throw in a timer or tick, loop over numbers that the client chose, or wait forever.
 */
export function acceptConnection(container: Container, socket: Socket, log: LocalLog): Connection {
  const connection = container.create_connection({
    // rhea's types allow only client options here. The options below work for a server too.
    port: 0,
    reconnect: false,
    max_frame_size: MAX_FRAME_SIZE,
    channel_max: CHANNEL_MAX,
    idle_time_out: IDLE_TIME_OUT_MS,
    sender_options: SENDER_OPTIONS,
    receiver_options: RECEIVER_OPTIONS,
  });
  const internals = connectionInternals(connection);
  const client = `${socket.remoteAddress}:${socket.remotePort}`;

  const breakOff = (error: unknown) => {
    if (socket.destroyed) return;
    const reason = error instanceof Error ? error.message : String(error);
    log.warn(`Event Hubs: disconnected ${client}. ${reason}`);
    socket.destroy();
  };

  connection.on('error', breakOff);
  connection.on('protocol_error', breakOff);
  // Without these handlers, rhea raises an `error` of the whole container or writes to the console.
  for (const event of [
    'connection_error',
    'session_error',
    'sender_error',
    'receiver_error',
    'disconnected',
  ]) {
    connection.on(event, () => {});
  }

  const gate = new FrameGate(MAX_FRAME_SIZE);
  const input = internals.input.bind(connection);
  internals.input = (chunk) => {
    try {
      const frames = gate.push(chunk);
      if (frames.length > 0) input(frames);
    } catch (error) {
      breakOff(error);
    }
  };
  const writeDue = internals._process.bind(connection);
  internals._process = () => {
    try {
      writeDue();
    } catch (error) {
      breakOff(error);
    }
  };
  const output = internals.output.bind(connection);
  internals.output = () => {
    if (!socket.destroyed) output();
  };
  // All messages are settled, so a disposition has no effect. rhea would loop over the range in it.
  internals.on_disposition = () => {};

  socket.setNoDelay(true);
  // Each reader of the connection can wait for the `drain` event of the socket.
  socket.setMaxListeners(0);
  socket.setTimeout(OPEN_TIME_OUT_MS, () =>
    breakOff(new Error('The client did not open its connection in time.')),
  );
  connection.once('connection_open', () => {
    socket.setTimeout(0);
    // rhea would split messages into frames without content. The error stops the parsing of further frames.
    if (Number(connection.max_frame_size ?? MAX_FRAME_SIZE) < MIN_MAX_FRAME_SIZE) {
      throw new Error(`Its max-frame-size of ${connection.max_frame_size} bytes is too small.`);
    }
  });
  internals.accept(socket);
  socket.once('close', () => internals.eof());
  return connection;
}

/** Whether the client has proved by SASL that it knows the key. */
export function hasProvedKey(connection: Connection): boolean {
  const mechanism = connectionInternals(connection).sasl_transport?.selected?.mechanism;
  return mechanism instanceof PlainMechanism && mechanism.outcome === true;
}

/**
 * Offers the SASL mechanisms of Event Hubs. PLAIN checks a key. The others let every client in, and its links then need a
 * token.
 */
export function offerMechanisms(container: Container): void {
  const mechanisms = container.sasl_server_mechanisms;
  const letIn = () => ({
    outcome: undefined as boolean | undefined,
    start() {
      this.outcome = true;
    },
  });
  mechanisms.MSSBCBS = letIn;
  mechanisms.PLAIN = () => new PlainMechanism();
  mechanisms.enable_anonymous();
  mechanisms.EXTERNAL = letIn;
}
