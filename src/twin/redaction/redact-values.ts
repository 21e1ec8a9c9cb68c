import { createHmac } from 'node:crypto';
import {
  canonicalJson,
  isObject,
  type JsonObject,
  type JsonValue,
  objectOf,
  ownMember,
} from '../../json/json.ts';

/** Which values are never stored, and the key of the hashes that replace them. */
export interface Redaction {
  readonly paths: Paths;
  /** Undefined: there are no paths. */
  readonly key: Uint8Array | undefined;
  /** In the twins of IoT Edge itself, credentials and variables are hidden too (`redactionOfTwin`). */
  readonly hidesRuntime?: boolean;
}

export type Paths = readonly (readonly string[])[];

/** The prefix of every hash. */
export const REDACTED = 'redacted:';

/**
 * What kind of JSON is redacted.
 * - `section`: tags or desired properties.
 * - `reported`: like `section`, but an object on a path may be an acknowledgement `{value, ac, av, ad}`.
 * - `document`: any JSON with twins at any depth. Every path may begin at every object.
 */
export type RedactionPlace = 'section' | 'reported' | 'document';

/** Values that are nested deeper are not stored at all. The device-twins page allows ten levels below a section. */
const MAX_DEPTH = 64;
/** Digits of the hash of a value, and of the seal that shows that Berth made it. */
const [HASH_DIGITS, SEAL_DIGITS] = [16, 8];
const HASH = new RegExp(`^${REDACTED}([0-9a-f]{${HASH_DIGITS}})([0-9a-f]{${SEAL_DIGITS}})$`);

/**
 * Replaces the values of the redacted paths, and everything below them, by hashes. Lists are redacted item by item. If a
 * path expects an object and finds a text, number, true or false, this value is redacted. A deletion (`null`) and an earlier
 * hash stay. An object without redacted values is returned as it is, not as a copy.
 *
 * @param hid called with each value that was replaced.
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

/** Like `redactValues`, for any JSON. */
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

/** Whether this text is a hash that Berth made. The prefix alone proves nothing, because a device can write it. */
export function isMadeByBerth(text: string, key: Uint8Array | undefined): boolean {
  if (!text.startsWith(REDACTED)) return false;
  if (key === undefined) return text === REDACTED;
  const [, hash, seal] = HASH.exec(text) ?? [];
  return hash !== undefined && seal === sealOf(hash, key);
}

/** Redacts one JSON value. `rests`: the remaining keys of the paths that lead to the current place. */
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
    // The top level of a section cannot be an acknowledgement.
    if (depth > 0 && this.#place !== 'section' && rests.length > 0) {
      const isAnswer = isAcknowledgement(node);
      if (name === 'value' && (isAnswer || !isScalar)) next.push(...rests);
      // A device may repeat the value in its description.
      if (WORDS.includes(name) && isAnswer) return this.#hideAll(value, depth + 1);
    }
    if (isScalar) return next.length === 0 ? value : this.#hide(value);
    return next.length === 0 && this.#place !== 'document' ? value : this.enter(value, next, depth + 1);
  }

  /** Versions stay, because a document needs them to be decoded. No property may begin with `$`. */
  #isEnvelope(name: string, value: JsonValue, depth: number): boolean {
    const isVersion = name === '$version' || (name === 'version' && depth === 0);
    return this.#place === 'document' && isVersion && typeof value === 'number';
  }

  /** Redacts each member of an object, so that later changes of a part can be merged. A list becomes one hash. */
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
    // A list that already contains hashes would not get the same hash as the original list.
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

/** Members that only acknowledgements have: of Plug and Play (concepts-convention) and of older IoT Central devices. */
const ANSWERS = ['ac', 'av', 'status', 'statusCode', 'desiredVersion'];
/** The descriptions of acknowledgements. */
const WORDS = ['ad', 'message'];
/** A smaller `ac` is not a status. */
const LEAST_STATUS = 100;

function isAcknowledgement(node: JsonObject): boolean {
  return ANSWERS.some((name) => {
    const answer = ownMember(node, name);
    if (name !== 'ac') return answer !== undefined;
    return typeof answer !== 'object' && Number(answer) >= LEAST_STATUS;
  });
}

/**
 * A keyed hash. It shows whether a value has changed, but a short password cannot be found by trial. Without a key, all
 * values are replaced by the same text.
 */
function hashOf(value: JsonValue, key: Uint8Array | undefined): string {
  if (key === undefined) return REDACTED;
  const hash = hmac(key, textOf(value)).slice(0, HASH_DIGITS);
  return `${REDACTED}${hash}${sealOf(hash, key)}`;
}

/** Equal values have equal texts. Values that are nested too deeply have the empty text. */
function textOf(value: JsonValue): string {
  try {
    return canonicalJson(value);
  } catch {
    return '';
  }
}

/** No JSON text begins with `seal `, so the seal of a hash is never the hash of a value. */
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

/** Whether a value contains a hash. Such a value must never be written to a hub. */
export function holdsRedacted(value: JsonValue): boolean {
  if (typeof value === 'string') return value.includes(REDACTED);
  if (Array.isArray(value)) return value.some(holdsRedacted);
  return isObject(value) && Object.values(value).some(holdsRedacted);
}
