import { once } from 'node:events';
import type { Socket } from 'node:net';
import rhea, { type Connection, type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import { eventually } from './reading.ts';

/** A bare AMQP client, for what Azure's JavaScript client never does but other clients do. */
export interface RawClient {
  readonly connection: Connection;
  /** Opens a link on which to send. Fails with the error when it is refused. */
  sender(address: string): Promise<Sender>;
  /** Opens a link on which to receive; credit is granted by hand. */
  receiver(address: string, options?: ReceiverSettings): Promise<RawReceiver>;
  /** Breaks off without a word. */
  destroy(): void;
}

export interface ReceiverSettings {
  readonly filter?: unknown;
  readonly properties?: Record<string, unknown>;
  readonly target?: string;
}

export interface RawReceiver {
  readonly link: Receiver;
  readonly messages: Message[];
  /** Grants credit for `count` messages and waits for them. */
  take(count: number): Promise<Message[]>;
}

type Options = NonNullable<Parameters<typeof rhea.connect>[0]>;

/** Values that rhea's `once` promises carry the error of. */
interface Refused {
  readonly error?: { readonly condition?: string; readonly description?: string };
}

export async function connectRaw(port: number, options: Record<string, unknown> = {}): Promise<RawClient> {
  const container = rhea.create_container({});
  const connection = container.connect({
    port,
    host: '127.0.0.1',
    reconnect: false,
    username: 'RootManageSharedAccessKey',
    password: 'SAS_KEY_VALUE',
    ...options,
  } as unknown as Options);
  for (const event of [
    'disconnected',
    'connection_error',
    'connection_close',
    'sender_error',
    'receiver_error',
  ]) {
    connection.on(event, () => {});
  }
  await once(connection, 'connection_open');
  // rhea ends its timers when the other side ends the connection only.
  socketOf(connection).once('close', () => (connection as unknown as { eof(): void }).eof());
  return {
    connection,
    async sender(address) {
      const link = connection.open_sender({ target: { address } });
      await opened(link, 'sender', () => link.sendable());
      return link;
    },
    async receiver(address, { filter, properties, target } = {}) {
      const link = connection.open_receiver({
        source: {
          address,
          ...(filter === undefined ? {} : { filter: { 'apache.org:selector-filter:string': filter } }),
        },
        credit_window: 0,
        snd_settle_mode: 1,
        ...(properties === undefined ? {} : { properties }),
        ...(target === undefined ? {} : { target: { address: target } }),
      } as unknown as Parameters<Connection['open_receiver']>[0]);
      const messages: Message[] = [];
      link.on('message', ({ message }: EventContext) => {
        if (message !== undefined) messages.push(message);
      });
      await opened(link, 'receiver', () => link.source?.address === address);
      return {
        link,
        messages,
        async take(count) {
          const expected = messages.length + count;
          link.add_credit(count);
          await eventually(() => messages.length >= expected, `${count} messages came`);
          return messages.slice(-count);
        },
      };
    },
    destroy() {
      socketOf(connection).destroy();
    },
  };
}

/** Sends a message and gives back what became of it: the result's name, and the error of a rejection. */
export function deliver(
  sender: Sender,
  message: Message | Buffer,
  format?: number,
): Promise<{ result: string; condition?: string | undefined }> {
  return new Promise((resolve) => {
    const delivery = sender.send(message, undefined, format);
    for (const result of ['accepted', 'rejected', 'released', 'modified']) {
      const listener = (context: EventContext) => {
        if (context.delivery !== delivery) return;
        sender.off(result, listener);
        resolve({ result, condition: (delivery.remote_state as Refused | undefined)?.error?.condition });
      };
      sender.on(result, listener);
    }
  });
}

export function socketOf(connection: Connection): Socket {
  return (connection as unknown as { socket: Socket }).socket;
}

/** An attach is answered even when it is refused: the link is then closed with an error at once. */
function opened(link: Sender | Receiver, kind: 'sender' | 'receiver', isReady: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    link.once(`${kind}_error`, () => reject(link.error));
    const ready = () => {
      if (link.is_open() && isReady()) resolve();
    };
    link.on(`${kind}_open`, ready);
    link.on('sendable', ready);
  });
}
