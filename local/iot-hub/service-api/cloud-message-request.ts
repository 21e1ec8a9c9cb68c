import type { HttpRequest } from '../../https/exchange.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { readMessageHeaders } from '../model/message-headers.ts';
import type { NewCloudMessage } from '../operations/cloud-messages.ts';

const ACKNOWLEDGEMENTS = ['none', 'positive', 'negative', 'full'];

/**
 * Reads a cloud-to-device message from a request of a service.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readCloudMessage({ headers, rawHeaders, body }: HttpRequest): NewCloudMessage {
  const acknowledgement = headers['iothub-ack']?.toString().toLowerCase();
  if (acknowledgement && !ACKNOWLEDGEMENTS.includes(acknowledgement)) {
    throw new HubRefusal('ArgumentInvalid', `iothub-ack must be one of ${ACKNOWLEDGEMENTS.join(', ')}.`);
  }
  const expiry = headers['iothub-expiry']?.toString();
  const expires = expiry ? Date.parse(expiry) : undefined;
  if (Number.isNaN(expires)) throw new HubRefusal('ArgumentInvalid', 'iothub-expiry is not a time.');
  const { system, application } = readMessageHeaders(rawHeaders);
  return {
    body,
    system: { ...system, ...(acknowledgement && { 'iothub-ack': acknowledgement }) },
    properties: application,
    expires,
  };
}
