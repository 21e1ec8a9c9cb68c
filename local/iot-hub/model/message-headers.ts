import type { CloudMessage } from './cloud-message.ts';

/** The headers of system properties, with their names in the topic of a message. */
const SYSTEM: readonly (readonly [string, string])[] = [
  ['iothub-messageid', '$.mid'],
  ['iothub-correlationid', '$.cid'],
  ['iothub-userid', '$.uid'],
  ['iothub-contenttype', '$.ct'],
  ['iothub-contentencoding', '$.ce'],
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
  const system: [string, string][] = [];
  const application: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [header = '', value = ''] = rawHeaders.slice(at, at + 2);
    const known = header.toLowerCase();
    const name = SYSTEM.find(([each]) => each === known)?.[1];
    if (name !== undefined && value) system.push([name, value]);
    if (known.startsWith(APPLICATION)) application.push([header.slice(APPLICATION.length), value]);
  }
  return { system: Object.fromEntries(system), application: Object.fromEntries(application) };
}

/** The properties of a message as headers of an answer. */
export function messageHeaders({ system, properties }: CloudMessage): Record<string, string> {
  return {
    ...Object.fromEntries(
      SYSTEM.flatMap(([header, name]) => (system[name] === undefined ? [] : [[header, system[name]]])),
    ),
    'iothub-to': system['$.to'] ?? '',
    'iothub-ack': system['iothub-ack'] ?? 'none',
    ...Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [`${APPLICATION}${name}`, value ?? '']),
    ),
  };
}
