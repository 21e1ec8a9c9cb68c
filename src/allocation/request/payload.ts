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
 * Largest returned payload. DPS limits its messages to 96 KB (DPS limits); it is not documented whether this
 * includes the answer of a webhook. This limit and the largest twin, 40 KB, together stay below it.
 */
const MAX_BYTES = 32 * 1024;

/**
 * Builds the payload for the device. It contains only ASCII: `azure-iot-provisioning-device-mqtt` decodes the
 * answer as ASCII, so other characters are corrupted and can end the process of the device. Other members are
 * left out, with the reason.
 */
export function buildPayload(template: Template, variables: Variables, work?: ExpressionWork): BuiltPayload {
  const unfilled: Omission[] = [];
  const filled = fillTemplate(template, variables, unfilled, work);
  const omissions = new Omissions();
  for (const { path, why } of unfilled) omissions.add(path, why);
  let text = filled === undefined ? '' : JSON.stringify(filled);
  let ascii = filled;
  if (filled !== undefined && !isAscii(text)) {
    ascii = keepAscii(filled, [], omissions);
    text = JSON.stringify(ascii ?? null);
  }
  if (!isObject(ascii) || Object.keys(ascii).length === 0) {
    return { payload: undefined, omitted: omissions.list };
  }
  if (text.length <= MAX_BYTES) return { payload: ascii, omitted: omissions.list };
  omissions.add([], `the payload is larger than ${MAX_BYTES / 1024} KB`);
  return { payload: undefined, omitted: omissions.list };
}

function keepAscii(value: JsonValue, path: readonly string[], omissions: Omissions): JsonValue | undefined {
  // Check the members of an object, not its text: otherwise each level would read all levels below again.
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
