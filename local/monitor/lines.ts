import type { JsonValue } from '../../src/json/json.ts';
import type { Watched } from './watched.ts';

/** Which properties `--properties` shows, with the names of `az iot hub monitor-events`. */
export const PROPERTY_KINDS = ['app', 'sys', 'anno', 'all'] as const;
export type PropertyKind = (typeof PROPERTY_KINDS)[number];

/**
 * An item as lines for people: time, source, device, payload, and the properties that were asked for.
 *
 * @example '12:00:01  DeviceMessages  my-device @ contoso-weu  {"temperature":20}'
 */
export function watchedLines(watched: Watched, kinds: readonly PropertyKind[]): readonly string[] {
  const { at, source, hub, deviceId, moduleId, payload, properties, annotations } = watched;
  const shows = (kind: PropertyKind) => kinds.includes(kind) || kinds.includes('all');
  const who = moduleId === null ? deviceId : `${deviceId}/${moduleId}`;
  return [
    `${at.slice(11, 19)}  ${source}  ${visible(who)} @ ${hub.split('.')[0]}  ${payloadText(payload)}`,
    ...(shows('app') ? propertyLines('app', properties.application) : []),
    ...(shows('sys') ? propertyLines('sys', properties.system) : []),
    ...(shows('anno') ? propertyLines('anno', annotations) : []),
  ];
}

function propertyLines(kind: string, values: Readonly<Record<string, JsonValue>>): readonly string[] {
  return Object.entries(values).map(
    ([name, value]) => `          ${kind}  ${visible(name)}: ${payloadText(value)}`,
  );
}

function payloadText(payload: JsonValue): string {
  return visible(typeof payload === 'string' ? payload : JSON.stringify(payload));
}

/** Devices send any text. Control characters must not reach the terminal. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, (each) => SHORT[each] ?? escaped(each));
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** @example '\\u001b' */
function escaped(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}
