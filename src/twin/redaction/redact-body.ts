import { isObject, type JsonValue } from '../../json/json.ts';
import { REDACTED, type Redaction, redactJson } from './redact-values.ts';
import { redactionOfDocument } from './runtime-secrets.ts';

/** The body of an event, as Berth may store it. */
export interface KeptBody {
  readonly body: Uint8Array;
  /** Values were replaced, or duplicate keys were removed. */
  readonly isRedacted: boolean;
  /** Removes the replaced values from a text about the event. */
  without(text: string): string;
}

/**
 * Redacts the body of an event that could not be read. In JSON, a twin may be at any depth, so every path may begin at every
 * object. Versions stay, so that the event can be decoded again. A body that is not JSON stays as it is.
 */
export function redactBody(body: Uint8Array, given: Redaction): KeptBody {
  const redaction = redactionOfDocument(given);
  const asItCame: KeptBody = { body, isRedacted: false, without: (text) => text };
  if (redaction.paths.length === 0) return asItCame;
  const parsed = parse(body);
  if (parsed === undefined) return asItCame;
  const hidden: JsonValue[] = [];
  const json = redactJson(parsed.json, redaction, 'document', (value) => hidden.push(value));
  // `JSON.parse` keeps one value of a repeated key. The other one was not checked and must not be stored.
  const isWhole = json === parsed.json && !hasDuplicateKeys(parsed.text, parsed.json);
  if (isWhole) return asItCame;
  return {
    body: Buffer.from(JSON.stringify(json), 'utf8'),
    isRedacted: true,
    without: (text) => withoutTexts(text, textsIn(hidden)),
  };
}

function parse(body: Uint8Array): { readonly text: string; readonly json: JsonValue } | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return { text, json: JSON.parse(text) as JsonValue };
  } catch {
    return undefined;
  }
}

/** @param text the valid JSON that `json` was read from. */
function hasDuplicateKeys(text: string, json: JsonValue): boolean {
  let keys = 0;
  for (let start = text.indexOf('"'); start >= 0; ) {
    let end = start + 1;
    while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    end += 1;
    while (/\s/.test(text[end] ?? '')) end += 1;
    if (text[end] === ':') keys += 1;
    start = text.indexOf('"', end);
  }
  return keys !== countKeys(json);
}

function countKeys(json: JsonValue): number {
  let count = 0;
  for (const value of valuesIn(json)) if (isObject(value)) count += Object.keys(value).length;
  return count;
}

/** A value and all values in it. Without recursion, because a body may be nested to any depth. */
function* valuesIn(json: JsonValue): Generator<JsonValue> {
  const rest: JsonValue[] = [json];
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    yield value;
    if (typeof value !== 'object' || value === null) continue;
    for (const member of Object.values(value)) rest.push(member as JsonValue);
  }
}

function* textsIn(values: readonly JsonValue[]): Generator<string> {
  for (const hidden of values) {
    for (const value of valuesIn(hidden)) if (typeof value !== 'object') yield String(value);
  }
}

/** Shorter texts are replaced only as whole words, because they are a part of many other words. */
const SHORT = 4;

function withoutTexts(text: string, secrets: Iterable<string>): string {
  const found = new Set<string>();
  for (const secret of secrets) if (secret !== '' && text.includes(secret)) found.add(secret);
  return [...found]
    .sort((one, other) => other.length - one.length)
    .reduce((rest, secret) => {
      const escaped = secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
      const alone = secret.length < SHORT ? `(?<!\\w)${escaped}(?!\\w)` : escaped;
      return rest.replace(new RegExp(alone, 'g'), () => REDACTED);
    }, text);
}
