import type { IncomingHttpHeaders } from 'node:http';
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

/** Reads the properties of a message from headers of a request (azure-iot-device-http). */
export function readMessageHeaders(headers: IncomingHttpHeaders): MessageProperties {
  const system: [string, string][] = [];
  const application: [string, string][] = [];
  for (const [header, value] of Object.entries(headers)) {
    const name = SYSTEM.find(([known]) => known === header)?.[1];
    if (name !== undefined && value) system.push([name, value.toString()]);
    if (header.startsWith(APPLICATION))
      application.push([header.slice(APPLICATION.length), String(value ?? '')]);
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
