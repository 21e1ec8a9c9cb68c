import type { Acknowledgement } from '../../fleet/comparison.ts';
import { type JsonObject, type JsonValue, ownEntry } from '../../json/json.ts';

/** The fields of an acknowledgement without its value. */
export interface DeviceAnswer {
  /** Like an HTTP status. Undefined: the answer has none. */
  readonly code: number | undefined;
  /** The desired version that the device answers. */
  readonly version: number | undefined;
  /** With `: ` before it, to append to a sentence. Empty: there is none. */
  readonly description: string;
  /** It has a version or a description. Only an answer has these. */
  readonly isSaid: boolean;
}

/**
 * Words of `status` in lower case and without spaces, as codes. The samples of IoT Central use `completed`. The article on
 * device twins uses `success` and `pending`.
 */
const WORDS: Readonly<Record<string, number>> = {
  completed: 200,
  complete: 200,
  success: 200,
  succeeded: 200,
  ok: 200,
  done: 200,
  applied: 200,
  pending: 202,
  inprogress: 202,
  processing: 202,
  rejected: 400,
  invalid: 400,
  denied: 400,
  failed: 500,
  failure: 500,
  error: 500,
};

/**
 * The answer that an object holds next to its value. Undefined: the object is not an answer.
 *
 * `pnp`: `ac` is a status code, a whole number from 100 to 599. `av` and `ad` may be missing. `central`: also `statusCode`
 * or `status` (a code, or a word such as `completed`), `desiredVersion` and `message`. Numbers may be texts.
 *
 * Source of the older convention: the tutorials of Azure IoT Central up to 2020 ("howto-connect-nodejs",
 * "tutorial-connect-device"). Their devices report `{value, status, desiredVersion, message}`. The samples for boards add
 * `statusCode`.
 *
 * @param isValue whether a field is a property, and therefore not a part of an answer.
 */
export function answerIn(
  node: JsonObject,
  convention: Acknowledgement,
  isValue: (field: string) => boolean,
): DeviceAnswer | undefined {
  if (convention === 'echo' || node.__t === 'c') return undefined;
  const field = (name: string): JsonValue | undefined =>
    Object.hasOwn(node, name) && !isValue(name) ? node[name] : undefined;
  return convention === 'pnp' ? plugAndPlayAnswer(field) : centralAnswer(node, field);
}

function plugAndPlayAnswer(field: (name: string) => JsonValue | undefined): DeviceAnswer | undefined {
  const code = field('ac');
  if (!isStatus(code)) return undefined;
  return answer(code, versionIn(field('av')), field('ad'));
}

function centralAnswer(
  node: JsonObject,
  field: (name: string) => JsonValue | undefined,
): DeviceAnswer | undefined {
  const status = field('status');
  const code = codeIn(field('ac')) ?? codeIn(field('statusCode')) ?? codeIn(status);
  const version = versionIn(wholeNumber(field('av'))) ?? versionIn(wholeNumber(field('desiredVersion')));
  const isWrapped = Object.keys(node).length === 1 && Object.hasOwn(node, 'value');
  if (code === undefined && version === undefined && !isWrapped) return undefined;
  const word = isRefusal(code) && codeIn(status) === undefined ? status : undefined;
  return answer(code, version, [field('ad'), field('message'), word].find(isText));
}

function answer(
  code: number | undefined,
  version: number | undefined,
  words: JsonValue | undefined,
): DeviceAnswer {
  const description = isText(words) ? `: ${words.slice(0, 100)}` : '';
  return { code, version, description, isSaid: version !== undefined || typeof words === 'string' };
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}

function isRefusal(code: number | undefined): boolean {
  return code !== undefined && code >= 400;
}

function isStatus(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 100 && value <= 599;
}

function codeIn(value: JsonValue | undefined): number | undefined {
  const code = wholeNumber(value);
  if (isStatus(code)) return code;
  if (typeof value !== 'string') return undefined;
  const word = value.toLowerCase().replace(/[\s_-]/g, '');
  return ownEntry(WORDS, word);
}

function versionIn(value: JsonValue | undefined): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** A whole number that may be written as a text. Some device libraries do that. */
function wholeNumber(value: JsonValue | undefined): JsonValue | undefined {
  return typeof value === 'string' && /^\d{1,15}$/.test(value.trim()) ? Number(value) : value;
}
