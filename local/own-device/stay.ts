import { type Client, Message, type Twin } from 'azure-iot-device';

const TELEMETRY_EVERY_MS = 5_000;

export interface StayOptions {
  readonly client: Client;
  readonly twin: Twin;
  /** Names of direct methods that the device answers. The SDK for Node has no callback for all names. */
  readonly methods: readonly string[];
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Keeps a connected device alive until the signal is aborted: it sends telemetry, answers its direct methods with 200 and
 * the payload that it got, and completes messages. It prints what arrives.
 *
 * @throws Error if the hub ends the connection
 */
export async function stayConnected({ client, twin, methods, print, signal }: StayOptions): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    client.on('disconnect', () => reject(new Error('The hub ended the connection of the device.')));
    client.on('error', reject);
  });
  // The SDK emits the present desired properties at once.
  twin.on('properties.desired', (desired: unknown) => print(`desired ${JSON.stringify(desired)}`));
  client.on('message', (message: Message) => {
    print(`message ${message.getData().toString()}${propertiesOf(message)}`);
    client.complete(message, () => {});
  });
  for (const method of methods) {
    client.onDeviceMethod(method, (request, response) => {
      print(`method ${method} ${JSON.stringify(request.payload)}`);
      response.send(200, request.payload, () => {});
    });
  }
  const send = () => client.sendEvent(telemetry(), () => {});
  send();
  const timer = setInterval(send, TELEMETRY_EVERY_MS);
  try {
    await ended;
  } finally {
    clearInterval(timer);
  }
}

function telemetry(): Message {
  const message = new Message(JSON.stringify({ temperature: 20 + Math.round(Math.random() * 100) / 10 }));
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  return message;
}

function propertiesOf({ properties }: Message): string {
  const list = Array.from({ length: properties.count() }, (_, index) => properties.getItem(index));
  return list.map(({ key, value }) => ` ${key}=${value}`).join('');
}
