import type { Socket } from 'node:net';
import type { Connection, Container } from 'rhea';
import type { LocalLog } from '../../log.ts';
import { FrameGate } from './frame-gate.ts';
import { connectionInternals } from './rhea-internals.ts';

/** What Event Hubs says in its open frame (frame traces in Azure/azure-sdk-for-python#5316, #11708). */
const MAX_FRAME_SIZE = 65_536;
const CHANNEL_MAX = 4_999;
const IDLE_TIME_OUT_MS = 240_000;

/** The least that a peer must take (OASIS AMQP 1.0, part 2, section 2.7.1). */
const MIN_MAX_FRAME_SIZE = 512;

/** A client that has not opened its connection by then is cut off. */
const OPEN_TIME_OUT_MS = 60_000;

/**
 * Links of readers: events are sent settled, as Event Hubs does (frame trace in vcabbage/amqp#43); a lost one
 * is read again by its position.
 */
const SENDER_OPTIONS = { snd_settle_mode: 1 } as const;
/** Links of producers: nothing is accepted before it is kept. */
const RECEIVER_OPTIONS = { autoaccept: false, autosettle: true, credit_window: 1_000 } as const;

/**
 * Serves AMQP on a socket. Whatever a client does wrong ends its own connection and nothing else: rhea is
 * guarded where it would throw out of a timer or tick, loop over numbers that the client chose, or wait for
 * ever.
 */
export function acceptConnection(container: Container, socket: Socket, log: LocalLog): Connection {
  const connection = container.create_connection({
    // The options of a client are all that rhea's types know here; those below serve both sides.
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
    log.warn(`Event Hubs: the connection of ${client} was broken off. ${reason}`);
    socket.destroy();
  };

  connection.on('error', breakOff);
  connection.on('protocol_error', breakOff);
  // Handlers without which rhea raises an `error` of the whole container, or writes to the console.
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
  // Everything is sent settled and accepted as settled, so that a disposition says nothing new; rhea would
  // go through the range it names.
  internals.on_disposition = () => {};

  socket.setNoDelay(true);
  // Each reader of the connection may wait for the socket to drain.
  socket.setMaxListeners(0);
  socket.setTimeout(OPEN_TIME_OUT_MS, () => breakOff(new Error('It was not opened in time.')));
  connection.once('connection_open', () => {
    socket.setTimeout(0);
    // rhea would cut messages into pieces of no bytes. Thrown, so that it reads no further frame.
    if (Number(connection.max_frame_size ?? MAX_FRAME_SIZE) < MIN_MAX_FRAME_SIZE) {
      throw new Error(`It takes frames of ${connection.max_frame_size} bytes only.`);
    }
  });
  internals.accept(socket);
  socket.once('close', () => internals.eof());
  return connection;
}

/**
 * The SASL mechanisms that Event Hubs offers. All let the client in: whoever can reach the port may use it.
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
  mechanisms.enable_plain(() => true);
  mechanisms.enable_anonymous();
  mechanisms.EXTERNAL = letIn;
}
