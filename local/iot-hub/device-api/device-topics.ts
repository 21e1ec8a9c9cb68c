import { type Address, addressPath } from '../model/address.ts';
import type { CloudMessage } from '../model/cloud-message.ts';

/*
 * The topics of IoT Hub's device API: iot-mqtt-connect-to-iot-hub.md, and the requests of azure-iot-device-mqtt 1.16.
 */

export const TWIN_RESPONSES = '$iothub/twin/res/#';
export const DESIRED_PATCHES = '$iothub/twin/PATCH/properties/desired/#';
export const METHOD_CALLS = '$iothub/methods/POST/#';

const TWIN_GET = '$iothub/twin/GET/';
const REPORTED_PATCH = '$iothub/twin/PATCH/properties/reported/';
/** The status of a method "must be an integer" (same page). The SDKs read it as one of 32 bits. */
const METHOD_RESPONSE = /^\$iothub\/methods\/res\/(-?\d{1,10})\/?$/;
const MAX_STATUS = 2 ** 31 - 1;
/** The version that a report is for. The SDK for Java sends it (its test `sendMultipleReportedPropertiesChecksForVersion`). */
const BASE_VERSION = /[?&]\$version=([^&]*)/;

/** The request of a device or module, from the topic to which it publishes. */
export type DeviceTopic =
  | { readonly kind: 'getTwin'; readonly requestId: string }
  | {
      readonly kind: 'reportProperties';
      readonly requestId: string;
      /** The version of the reported properties that the report is for, as it is written; undefined: any. */
      readonly baseVersion: string | undefined;
    }
  | { readonly kind: 'telemetry'; readonly properties: ReadonlyMap<string, string> }
  | { readonly kind: 'methodResponse'; readonly requestId: string; readonly status: number };

/** Reads the topic of a message; undefined if the device or module may not publish to it. */
export function parseDeviceTopic(topic: string, address: Address): DeviceTopic | undefined {
  const telemetry = `${addressPath(address)}/messages/events`; // the SDK does not encode ids
  if (topic === telemetry || topic.startsWith(`${telemetry}/`)) {
    return { kind: 'telemetry', properties: parsePropertyBag(topic.slice(telemetry.length + 1)) };
  }
  const [path = '', ...query] = topic.split('?');
  const parameters = `?${query.join('?')}`;
  const requestId = requestIdOf(parameters);
  if (path === TWIN_GET) return { kind: 'getTwin', requestId };
  if (path === REPORTED_PATCH)
    return { kind: 'reportProperties', requestId, baseVersion: BASE_VERSION.exec(parameters)?.[1] };
  const status = Number(METHOD_RESPONSE.exec(path)?.[1] ?? Number.NaN);
  const isStatus = status >= -MAX_STATUS - 1 && status <= MAX_STATUS;
  return isStatus ? { kind: 'methodResponse', requestId, status } : undefined;
}

/**
 * Whether the device or module may subscribe to a filter. Inputs of modules are granted, but a hub sends no messages to them.
 * In the place of an id, a client may write `+`
 * (azure-sdk-for-c: `devices/+/messages/devicebound/#`; azure-iot-sdk-c for modules: `devices/{d}/modules/{m}/#`).
 */
export function isDeviceFilter(filter: string, address: Address): boolean {
  if ([TWIN_RESPONSES, DESIRED_PATCHES, METHOD_CALLS].includes(filter)) return true;
  const isOwn = (id: string) => (segment: string | undefined) => segment === id || segment === '+';
  const [collection, deviceId, ...rest] = filter.split('/');
  if (collection !== 'devices' || !isOwn(address.deviceId)(deviceId)) return false;
  if (address.moduleId === undefined) return rest.join('/') === 'messages/devicebound/#';
  const [modules, moduleId, ...inbound] = rest;
  const isOfModule = modules === 'modules' && isOwn(address.moduleId)(moduleId);
  return isOfModule && ['#', 'inputs/#'].includes(inbound.join('/'));
}

export function twinResponseTopic(status: number, requestId: string, version?: number): string {
  return `$iothub/twin/res/${status}/?$rid=${requestId}${version === undefined ? '' : `&$version=${version}`}`;
}

export function desiredPatchTopic(version: number): string {
  return `$iothub/twin/PATCH/properties/desired/?$version=${version}`;
}

export function methodCallTopic(name: string, requestId: string): string {
  return `$iothub/methods/POST/${name}/?$rid=${requestId}`;
}

/** Whether a filter, which the module may subscribe to, is for messages to its inputs. */
export function isInputFilter(filter: string, { moduleId }: Address): boolean {
  return moduleId !== undefined && /^devices\/[^/]+\/modules\/[^/]+\/(?:inputs\/)?#$/.test(filter);
}

/** Whether a filter, which the device may subscribe to, is for cloud-to-device messages. */
export function isMessageFilter(filter: string): boolean {
  return filter.endsWith('/messages/devicebound/#');
}

/**
 * The topic of a message. A property without a value is only its name. What the sender has not set is absent: the message id, and
 * `iothub-ack` (azure-iot-sdk-node, e2etests/test/device_service.js).
 *
 * @example 'devices/dev-1/messages/devicebound/%24.mid=a&%24.to=%2Fdevices%2Fdev-1%2Fmessages%2Fdevicebound&k=v'
 */
export function cloudMessageTopic(address: Address, { system, properties }: CloudMessage): string {
  const bag = [...Object.entries(system), ...Object.entries(properties)].map(([name, value]) =>
    value === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return `${addressPath(address)}/messages/devicebound/${bag.join('&')}`;
}

function requestIdOf(topic: string): string {
  return /[?&]\$rid=([^&]*)/.exec(topic)?.[1] ?? '';
}

/**
 * The properties of a message, which are encoded in its topic: `%24.ct=application%2Fjson&k=v`. A `+` is not a space.
 */
function parsePropertyBag(bag: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const pair of bag.replace(/^\?/, '').split('&')) {
    const equals = pair.indexOf('=');
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
    if (name !== '') properties.set(name, equals < 0 ? '' : decoded(pair.slice(equals + 1)));
  }
  return properties;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
