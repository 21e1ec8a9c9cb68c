import rhea, { type Connection } from 'rhea';
import type { ClientStream } from '../client-stream.ts';
import type { LocalLog } from '../log.ts';
import { FrameGate } from './frame-gate.ts';
import type { Mechanisms } from './mechanisms.ts';
import { connectionInternals, MAX_OUTGOING, sessionInternals } from './rhea-internals.ts';
import { completeFields } from './whole-frames.ts';

/** Values of the open frame of Event Hubs (frame traces in Azure/azure-sdk-for-python#5316, #11708). */
const MAX_FRAME_SIZE = 65_536;
const CHANNEL_MAX = 4_999;
const IDLE_TIME_OUT_MS = 240_000;
/** Value of the begin frame of IoT Hub (frame trace in Azure/azure-iot-sdk-c#2233). The server does not enforce it. */
const HANDLE_MAX = 262_143;

/** Smallest frame size that a peer must accept (OASIS AMQP 1.0, part 2, section 2.7.1). */
const MIN_MAX_FRAME_SIZE = 512;

/** A client that does not open its connection within this time is disconnected. */
const OPEN_TIME_OUT_MS = 60_000;

/**
 * Links on which the client receives. As in Event Hubs, messages are sent settled if the client does not ask otherwise
 * (frame trace in vcabbage/amqp#43). A reader reads a lost event again by its position.
 */
const SENDER_OPTIONS = { snd_settle_mode: 1, autosettle: true } as const;
/** Links on which the client sends. A message is accepted only after it is stored. */
const RECEIVER_OPTIONS = { autoaccept: false, autosettle: true, credit_window: 1_000 } as const;

/** A connection and the function that ends it at once, with a line in the log. */
export interface AcceptedConnection {
  readonly connection: Connection;
  drop(reason: string): void;
}

/**
 * Serves AMQP to a client. An error of a client ends only its own connection. Without the guards here, rhea would
 * throw in a timer or tick, loop over numbers that the client chose, or wait forever.
 */
export function acceptConnection(
  { stream, from }: ClientStream,
  mechanisms: Mechanisms,
  { name, log }: { readonly name: string; readonly log: LocalLog },
): AcceptedConnection {
  // Each client has its own container, because rhea does not tell a mechanism which client uses it.
  const container = rhea.create_container({});
  Object.assign(container.sasl_server_mechanisms, mechanisms);
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

  const drop = (reason: string): void => {
    if (stream.destroyed) return;
    log.warn(`${name}: disconnected ${from}. ${reason}`);
    stream.destroy();
  };
  const breakOff = (error: unknown) => drop(error instanceof Error ? error.message : String(error));

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
  const writeFrame = internals._write_frame.bind(connection);
  internals._write_frame = (channel, performative, payload) => {
    if (performative !== undefined) completeFields(performative);
    writeFrame(channel, performative, payload);
  };
  connection.on('session_open', ({ session }) => {
    if (session !== undefined) sessionInternals(session).local.begin.handle_max = HANDLE_MAX;
  });
  const output = internals.output.bind(connection);
  internals.output = () => {
    if (!stream.destroyed) output();
  };
  // rhea would loop over the range that the client chose. No range is longer than what rhea keeps.
  const onDisposition = internals.on_disposition.bind(connection);
  internals.on_disposition = (frame) => {
    const { performative } = frame;
    const { first, last } = performative;
    if (last != null && last - first >= MAX_OUTGOING) performative.last = first + MAX_OUTGOING - 1;
    onDisposition(frame);
  };

  // Each reader of the connection can wait for the `drain` event of the stream.
  stream.setMaxListeners(0);
  const opening = setTimeout(() => drop('The client did not open its connection in time.'), OPEN_TIME_OUT_MS);
  connection.once('connection_open', () => {
    clearTimeout(opening);
    // rhea would split messages into frames without content. The error stops the parsing of further frames.
    if (Number(connection.max_frame_size ?? MAX_FRAME_SIZE) < MIN_MAX_FRAME_SIZE) {
      throw new Error(`Its max-frame-size of ${connection.max_frame_size} bytes is too small.`);
    }
  });
  internals.accept(stream);
  stream.once('close', () => {
    clearTimeout(opening);
    try {
      internals.eof();
    } catch (error) {
      log.error(`${name}: an error at the end of a connection. ${String(error)}`);
    }
  });
  return { connection, drop };
}
