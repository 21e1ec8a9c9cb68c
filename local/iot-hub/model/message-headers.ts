import type { CloudMessage } from './cloud-message.ts';

/** The headers of system properties, with their names in the topic of a message. */
const SYSTEM: readonly (readonly [string, string])[] = [
  ['iothub-messageid', '$.mid'],
  ['iothub-correlationid', '$.cid'],
  ['iothub-userid', '$.uid'],
  ['iothub-contenttype', '$.ct'],
  ['iothub-contentencoding', '$.ce'],
];
/** Headers that only the messages of devices have (azure-iot-device-http): the component, and the mark of a security message. */
const OF_DEVICES: readonly (readonly [string, string])[] = [
  ['dt-subject', '$.sub'],
  ['iothub-interface-id', '$.ifid'],
];
const APPLICATION = 'iothub-app-';

/** The properties of a message, by the names that they have in a topic. */
export interface MessageProperties {
  readonly system: Readonly<Record<string, string>>;
  readonly application: Readonly<Record<string, string>>;
}

/**
 * Reads the properties of a message from the raw headers of a request: names and values in turn (azure-iot-device-http). Names of
 * system properties may have any case. Names of application properties keep theirs: the suites of azure-iot-sdk-csharp need
 * `AzIoTHub_FaultOperationType` over HTTPS.
 */
export function readMessageHeaders(rawHeaders: readonly string[]): MessageProperties {
  return readHeaders(rawHeaders, SYSTEM);
}

/** Reads the properties of a message of a device, as `readMessageHeaders` does. */
export function readDeviceMessageHeaders(rawHeaders: readonly string[]): MessageProperties {
  return readHeaders(rawHeaders, [...SYSTEM, ...OF_DEVICES]);
}

function readHeaders(rawHeaders: readonly string[], names: typeof SYSTEM): MessageProperties {
  const system: [string, string][] = [];
  const application: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [header = '', value = ''] = rawHeaders.slice(at, at + 2);
    const known = header.toLowerCase();
    const name = names.find(([each]) => each === known)?.[1];
    if (name !== undefined && value) system.push([name, value]);
    if (known.startsWith(APPLICATION)) application.push([header.slice(APPLICATION.length), value]);
  }
  return { system: Object.fromEntries(system), application: Object.fromEntries(application) };
}

/** What cannot be in the name of a header (RFC 9110, 5.6.2), and what cannot be in its value. */
const NOT_IN_NAMES = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/gu;
const NOT_IN_VALUES = /[^\t -~]/gu;

/** Whether an application property can be a header: its name and its value. */
export function isHeader(name: string, value: string | null): boolean {
  return name !== '' && name.search(NOT_IN_NAMES) < 0 && (value ?? '').search(NOT_IN_VALUES) < 0;
}

/** Writes the characters that cannot be in a header as their UTF-8 bytes in percent encoding. */
function encoded(text: string, not: RegExp): string {
  return text.replace(not, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** The headers that an answer always has, in the captures of azure-cli. */
const ALWAYS: ReadonlySet<string> = new Set(['iothub-messageid', 'iothub-correlationid', 'iothub-userid']);

/**
 * The properties of a message as headers of an answer. Absent texts, and the expiry of a message without one of its own, are
 * empty, and times are in English (captures of real hubs in the tests of azure-iot-cli-extension). Characters that cannot be in a
 * header are in percent encoding.
 */
export function messageHeaders(message: CloudMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headersOf(message)).map(([name, value]) => [
      encoded(name, NOT_IN_NAMES),
      encoded(value, NOT_IN_VALUES),
    ]),
  );
}

function headersOf(message: CloudMessage): Record<string, string> {
  const { system, properties, expires, deliveryCount, sequenceNumber, enqueuedAt } = message;
  return {
    ...Object.fromEntries(
      SYSTEM.flatMap(([header, name]) => {
        const text = system[name] ?? (ALWAYS.has(header) ? '' : undefined);
        return text === undefined ? [] : [[header, text]];
      }),
    ),
    'iothub-to': system['$.to'] ?? '',
    'iothub-ack': system['iothub-ack'] ?? 'none',
    'iothub-expiry': system['$.exp'] === undefined ? '' : inEnglish(expires),
    'iothub-deliverycount': String(deliveryCount),
    ...(sequenceNumber !== undefined && { 'iothub-sequencenumber': String(sequenceNumber) }),
    ...(enqueuedAt !== undefined && { 'iothub-enqueuedtime': inEnglish(enqueuedAt) }),
    ...Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [`${APPLICATION}${name}`, value ?? '']),
    ),
  };
}

/**
 * A time in UTC as .NET writes it in English.
 *
 * @param at milliseconds since the epoch
 * @example inEnglish(0) → '1/1/1970 12:00:00 AM'
 */
function inEnglish(at: number): string {
  const time = new Date(at);
  const two = (number: number) => String(number).padStart(2, '0');
  const hours = time.getUTCHours();
  const date = `${time.getUTCMonth() + 1}/${time.getUTCDate()}/${time.getUTCFullYear()}`;
  const clock = `${hours % 12 || 12}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  return `${date} ${clock} ${hours < 12 ? 'AM' : 'PM'}`;
}
