import type { Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate, type Omission, type Template } from '../../fleet/expressions/template.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { Omissions } from './omissions.ts';

export interface BuiltPayload {
  readonly payload: JsonObject | undefined;
  readonly omitted: readonly Omission[];
}

export const NO_PAYLOAD: BuiltPayload = { payload: undefined, omitted: [] };

/**
 * DPS bounds its messages to 96 KB (DPS limits); whether that counts for a webhook's answer is not known. This
 * and the largest twin, 40 KB, stay below.
 */
const MAX_BYTES = 32 * 1024;

/**
 * What the device gets back. ASCII only: `azure-iot-provisioning-device-mqtt` decodes the answer as ASCII,
 * which corrupts anything else and may end the device's process. A member that is not ASCII is left out, with
 * the reason.
 */
export function buildPayload(template: Template, variables: Variables, work?: ExpressionWork): BuiltPayload {
  const unfilled: Omission[] = [];
  const filled = fillTemplate(template, variables, unfilled, work);
  const omissions = new Omissions();
  for (const { path, why } of unfilled) omissions.add(path, why);
  const ascii = filled === undefined ? undefined : keepAscii(filled, [], omissions);
  if (!isObject(ascii) || Object.keys(ascii).length === 0) {
    return { payload: undefined, omitted: omissions.list };
  }
  if (JSON.stringify(ascii).length <= MAX_BYTES) return { payload: ascii, omitted: omissions.list };
  omissions.add([], `the payload is larger than ${MAX_BYTES / 1024} KB`);
  return { payload: undefined, omitted: omissions.list };
}

function keepAscii(value: JsonValue, path: readonly string[], omissions: Omissions): JsonValue | undefined {
  // Not the text of an object: a device chooses how deep it is, and each level would go over all below it.
  if (isObject(value)) {
    const members = Object.entries(value).flatMap(([key, member]) => {
      const kept = isAscii(key) ? keepAscii(member, [...path, key], omissions) : undefined;
      if (kept === undefined && !isAscii(key)) omissions.add([...path, key], NOT_ASCII);
      return kept === undefined ? [] : [[key, kept] as const];
    });
    return Object.fromEntries(members);
  }
  if (isAscii(JSON.stringify(value))) return value;
  omissions.add(path, NOT_ASCII);
  return undefined;
}

const NOT_ASCII = 'not ASCII, which the Node device SDK cannot read over MQTT';

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range begins with them
  return /^[\u0000-\u007f]*$/.test(text);
}
