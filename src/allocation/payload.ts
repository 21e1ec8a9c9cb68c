import type { Variables } from '../fleet/expression.ts';
import { fillTemplate, type Omission, type Template } from '../fleet/template.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';

export interface BuiltPayload {
  readonly payload: JsonObject | undefined;
  readonly omitted: readonly Omission[];
}

/**
 * What the device gets back. ASCII only: `azure-iot-provisioning-device-mqtt` decodes the answer as ASCII,
 * which corrupts anything else and may end the device's process. A member that is not ASCII is left out, with
 * the reason.
 */
export function buildPayload(template: Template, variables: Variables): BuiltPayload {
  const omitted: Omission[] = [];
  const filled = fillTemplate(template, variables, omitted);
  const ascii = filled === undefined ? undefined : keepAscii(filled, [], omitted);
  return { payload: isObject(ascii) && Object.keys(ascii).length > 0 ? ascii : undefined, omitted };
}

function keepAscii(value: JsonValue, path: readonly string[], omitted: Omission[]): JsonValue | undefined {
  if (isObject(value)) {
    const members = Object.entries(value).flatMap(([key, member]) => {
      const kept = isAscii(key) ? keepAscii(member, [...path, key], omitted) : undefined;
      if (kept === undefined && !isAscii(key)) omitted.push({ path: [...path, key], why: NOT_ASCII });
      return kept === undefined ? [] : [[key, kept] as const];
    });
    return Object.fromEntries(members);
  }
  if (isAscii(JSON.stringify(value))) return value;
  omitted.push({ path, why: NOT_ASCII });
  return undefined;
}

const NOT_ASCII = 'not ASCII, which the Node device SDK cannot read over MQTT';

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range begins with them
  return /^[\u0000-\u007f]*$/.test(text);
}
