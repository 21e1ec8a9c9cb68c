import { createHmac } from 'node:crypto';
import {
  canonicalJson,
  isObject,
  type JsonObject,
  type JsonValue,
  objectOf,
  ownMember,
} from '../../json/json.ts';

/** Which values are never kept, and the key of the hashes that stand in their place. */
export interface Redaction {
  readonly paths: Paths;
  /** Undefined where there are no paths. */
  readonly key: Uint8Array | undefined;
}

export type Paths = readonly (readonly string[])[];

/** What every hash begins with. */
export const REDACTED = 'redacted:';

/**
 * Where the values lie.
 * - `section`: tags or desired properties.
 * - `reported`: as `section`, and a device may acknowledge an object that a path goes through: `{value, ac, av, ad}`.
 * - `document`: any JSON in which twins may lie at any depth; every path may begin at every object.
 */
export type RedactionPlace = 'section' | 'reported' | 'document';

/** Nesting beyond this is not entered, and nothing of it is kept. The device-twins page allows ten levels below a section. */
const MAX_DEPTH = 64;
/** Digits of the hash of a value, and of the seal that says that Berth made it. */
const [HASH_DIGITS, SEAL_DIGITS] = [16, 8];
const HASH = new RegExp(`^${REDACTED}([0-9a-f]{${HASH_DIGITS}})([0-9a-f]{${SEAL_DIGITS}})$`);

/**
 * The values without those of the redacted paths. Lists are entered item by item; a text, number or truth value where a
 * path expects an object is redacted whole, and so is all that lies below the end of a path. A deletion (`null`) stays one,
 * and what Berth has redacted before stays as it is. What nothing was redacted in is the same object as before.
 *
 * @param hid told each value that was replaced.
 */
export function redactValues(
  values: JsonObject,
  redaction: Redaction,
  place: RedactionPlace,
  hid?: (value: JsonValue) => void,
): JsonObject {
  const redacted = redactJson(values, redaction, place, hid);
  return isObject(redacted) ? redacted : {};
}

/** As `redactValues`, of any JSON. */
export function redactJson(
  json: JsonValue,
  redaction: Redaction,
  place: RedactionPlace,
  hid: (value: JsonValue) => void = () => {},
): JsonValue {
  const { paths, key } = redaction;
  if (paths.length === 0) return json;
  return new Descent(paths, key, place, hid).enter(json, place === 'document' ? [] : paths, 0);
}

/** Whether Berth made this text to stand for a value. The prefix proves nothing: a device can write it. */
export function isMadeByBerth(text: string, key: Uint8Array | undefined): boolean {
  if (!text.startsWith(REDACTED)) return false;
  if (key === undefined) return text === REDACTED;
  const [, hash, seal] = HASH.exec(text) ?? [];
  return hash !== undefined && seal === sealOf(hash, key);
}

/** One walk through JSON. `rests`: what is left of the paths that lead here. */
class Descent {
  readonly #paths: Paths;
  readonly #key: Uint8Array | undefined;
  readonly #place: RedactionPlace;
  readonly #hid: (value: JsonValue) => void;

  constructor(
    paths: Paths,
    key: Uint8Array | undefined,
    place: RedactionPlace,
    hid: (value: JsonValue) => void,
  ) {
    this.#paths = paths;
    this.#key = key;
    this.#place = place;
    this.#hid = hid;
  }

  enter(node: JsonValue, rests: Paths, depth: number): JsonValue {
    if (depth > MAX_DEPTH && typeof node === 'object' && node !== null) return REDACTED;
    if (Array.isArray(node)) return mapItems(node, (item) => this.#item(item, rests, depth + 1));
    return isObject(node) ? mapMembers(node, (name) => this.#member(node, name, rests, depth)) : node;
  }

  #item(item: JsonValue, rests: Paths, depth: number): JsonValue {
    return typeof item === 'object' || rests.length === 0 ? this.enter(item, rests, depth) : this.#hide(item);
  }

  #member(node: JsonObject, name: string, rests: Paths, depth: number): JsonValue {
    const value = node[name] as JsonValue;
    if (value === null || this.#isEnvelope(name, value, depth)) return value;
    const open = this.#place === 'document' ? [...rests, ...this.#paths] : rests;
    const next: (readonly string[])[] = open.flatMap(([first, ...rest]) => (first === name ? [rest] : []));
    if (next.some((rest) => rest.length === 0)) return this.#hideAll(value, depth + 1);
    const isScalar = typeof value !== 'object';
    // At the beginning of a section nothing has been acknowledged yet.
    if (depth > 0 && this.#place !== 'section' && rests.length > 0) {
      const isAnswer = isAcknowledgement(node);
      if (name === 'value' && (isAnswer || !isScalar)) next.push(...rests);
      // A device may say in words what it was sent.
      if (WORDS.includes(name) && isAnswer) return this.#hideAll(value, depth + 1);
    }
    if (isScalar) return next.length === 0 ? value : this.#hide(value);
    return next.length === 0 && this.#place !== 'document' ? value : this.enter(value, next, depth + 1);
  }

  /** What makes a document a twin or an event stays readable; no property may begin with `$`. */
  #isEnvelope(name: string, value: JsonValue, depth: number): boolean {
    const isVersion = name === '$version' || (name === 'version' && depth === 0);
    return this.#place === 'document' && isVersion && typeof value === 'number';
  }

  /** Leaf by leaf, so that a change of a part of an object is merged as the hub merges it. A list is one leaf. */
  #hideAll(value: JsonValue, depth: number): JsonValue {
    if (value === null) return value;
    if (typeof value !== 'object') return this.#hide(value);
    if (depth > MAX_DEPTH) return REDACTED;
    if (!Array.isArray(value)) {
      const json = value as JsonObject;
      return mapMembers(json, (name) => {
        const member = json[name] as JsonValue;
        return this.#isEnvelope(name, member, depth) ? member : this.#hideAll(member, depth + 1);
      });
    }
    // One in which a hash stands already cannot have the hash that the hub's list has.
    const isPart = holdsMade(value, this.#key, depth);
    return isPart ? mapItems(value, (item) => this.#hideAll(item, depth + 1)) : this.#hide(value);
  }

  #hide(value: JsonValue): JsonValue {
    if (typeof value === 'string' && isMadeByBerth(value, this.#key)) return value;
    this.#hid(value);
    return hashOf(value, this.#key);
  }
}

function holdsMade(value: JsonValue, key: Uint8Array | undefined, depth: number): boolean {
  if (typeof value === 'string') return isMadeByBerth(value, key);
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return false;
  return Object.values(value).some((member: JsonValue) => holdsMade(member, key, depth + 1));
}

/** The members that only acknowledgements have: Plug and Play's (concepts-convention) and IoT Central's older ones. */
const ANSWERS = ['ac', 'av', 'status', 'statusCode', 'desiredVersion'];
/** The members in which an acknowledgement speaks in words. */
const WORDS = ['ad', 'message'];
/** An `ac` below is no status. */
const LEAST_STATUS = 100;

function isAcknowledgement(node: JsonObject): boolean {
  return ANSWERS.some((name) => {
    const answer = ownMember(node, name);
    if (name !== 'ac') return answer !== undefined;
    return typeof answer !== 'object' && Number(answer) >= LEAST_STATUS;
  });
}

/**
 * A keyed hash: it tells whether a value has changed, and a short password cannot be found by trying. Without a key
 * nothing is told.
 */
function hashOf(value: JsonValue, key: Uint8Array | undefined): string {
  if (key === undefined) return REDACTED;
  const hash = hmac(key, textOf(value)).slice(0, HASH_DIGITS);
  return `${REDACTED}${hash}${sealOf(hash, key)}`;
}

/** The same values have the same text; lists that are nested too deep for that are all the same. */
function textOf(value: JsonValue): string {
  try {
    return canonicalJson(value);
  } catch {
    return '';
  }
}

/** No JSON text begins like this, so no value has its seal for a hash. */
function sealOf(hash: string, key: Uint8Array): string {
  return hmac(key, `seal ${hash}`).slice(0, SEAL_DIGITS);
}

function hmac(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

function mapItems(items: readonly JsonValue[], change: (item: JsonValue) => JsonValue): readonly JsonValue[] {
  const changed = items.map(change);
  return changed.every((item, index) => item === items[index]) ? items : changed;
}

function mapMembers(json: JsonObject, change: (name: string) => JsonValue): JsonObject {
  const names = Object.keys(json);
  const members = names.map((name) => [name, change(name)] as const);
  return members.every(([name, value]) => value === json[name]) ? json : objectOf(members);
}

/** Whether a hash stands somewhere in it: such a value must never go back to a hub. */
export function holdsRedacted(value: JsonValue): boolean {
  if (typeof value === 'string') return value.includes(REDACTED);
  if (Array.isArray(value)) return value.some(holdsRedacted);
  return isObject(value) && Object.values(value).some(holdsRedacted);
}
