import type { HttpRequest } from '../../https/exchange.ts';
import { HubRefusal } from '../model/hub-error.ts';
import type { NewCloudMessage } from '../operations/cloud-messages.ts';

/** The headers of system properties, with their names in the topic of a message. */
const SYSTEM: readonly (readonly [string, string])[] = [
  ['iothub-messageid', '$.mid'],
  ['iothub-correlationid', '$.cid'],
  ['iothub-userid', '$.uid'],
  ['iothub-contenttype', '$.ct'],
  ['iothub-contentencoding', '$.ce'],
];
const APPLICATION = 'iothub-app-';
const ACKNOWLEDGEMENTS = ['none', 'positive', 'negative', 'full'];

/**
 * Reads a cloud-to-device message from a request: its body, and its properties from the headers (the device HTTPS API names
 * them so).
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readCloudMessage({ headers, body }: HttpRequest): NewCloudMessage {
  const textOf = (name: string): string | undefined => headers[name]?.toString() || undefined;
  const acknowledgement = (textOf('iothub-ack') ?? 'none').toLowerCase();
  if (!ACKNOWLEDGEMENTS.includes(acknowledgement)) {
    throw new HubRefusal('ArgumentInvalid', `iothub-ack must be one of ${ACKNOWLEDGEMENTS.join(', ')}.`);
  }
  const expiry = textOf('iothub-expiry');
  const expires = expiry === undefined ? undefined : Date.parse(expiry);
  if (Number.isNaN(expires)) throw new HubRefusal('ArgumentInvalid', 'iothub-expiry is not a time.');
  return {
    body,
    system: {
      ...Object.fromEntries(
        SYSTEM.flatMap(([header, name]) =>
          textOf(header) === undefined ? [] : [[name, textOf(header) ?? '']],
        ),
      ),
      'iothub-ack': acknowledgement,
    },
    properties: Object.fromEntries(
      Object.keys(headers)
        .filter((header) => header.startsWith(APPLICATION))
        .map((header) => [header.slice(APPLICATION.length), textOf(header) ?? '']),
    ),
    expires,
  };
}
