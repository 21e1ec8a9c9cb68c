import type * as z from 'zod';
import type { ErrorDetail } from '../../errors.ts';
import { shownHub } from '../../iot-hub/host-name.ts';
import { nearest } from '../../nearest.ts';
import { SECRET } from '../secrets.ts';
import { fieldsAt } from './known-fields.ts';

/** The expected content of a field, for messages. The messages of zod name JavaScript types. */
const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
};

/** Fields of a fleet file whose value may be a secret by mistake. Messages never show it. */
const NOT_ECHOED: ReadonlySet<string> = new Set(['connection', 'salt', 'registries', 'username', 'password']);

/** Fields whose members may be secrets, at any depth: environment variables and options of containers. */
const NOT_ECHOED_BELOW = /^(env$|createOptions)/i;

/** Fields with host names. Another text may be a secret in the wrong field, so messages do not show it. */
const HUB_FIELDS: ReadonlySet<string> = new Set(['host', 'serviceHost', 'hub', 'iotHubs']);

const NOT_REPEATED = 'a secret in the wrong field (not shown here)';

/** A path as text, such as `hubs[0].host`. A key that contains a secret is not shown. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = SECRET.test(String(part)) ? '(not shown)' : String(part);
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

/**
 * One detail for each problem of zod: the path, the present value, and what to write instead.
 *
 * @param schema the schema of the input. For an unknown field, the message suggests the nearest known one.
 * @param notEchoed names of fields whose value is never shown. Default: those of a fleet file.
 */
export function schemaProblems(
  error: z.ZodError,
  input: unknown,
  schema: z.core.$ZodType,
  notEchoed: ReadonlySet<string> = NOT_ECHOED,
): ErrorDetail[] {
  return error.issues.map((issue) => {
    const value = valueAt(input, issue.path);
    const message =
      issue.code === 'unrecognized_keys'
        ? unknownFields(issue.keys, fieldsAt(schema, issue.path), value)
        : remedy(issue, value, shown(issue.path, value, notEchoed));
    return { path: pathText(issue.path), message };
  });
}

/** A field that is there already is not what a mistyped one means. */
function unknownFields(keys: readonly string[], known: readonly string[], value: unknown): string {
  const given = Object.keys(Object(value));
  const free = known.filter((field) => !given.includes(field));
  const names = keys.map((key) => (SECRET.test(key) ? NOT_REPEATED : JSON.stringify(key)));
  const what = `contains the unknown ${keys.length === 1 ? 'field' : 'fields'} ${names.join(', ')}`;
  const suggestions = keys.flatMap((key) => {
    const near = nearest(key, free);
    return near === undefined ? [] : [`"${near}"${keys.length === 1 ? '' : ` for ${JSON.stringify(key)}`}`];
  });
  return suggestions.length === 0
    ? `${what}: correct the spelling or remove it`
    : `${what}: did you mean ${suggestions.join(', ')}? Correct the spelling or remove it`;
}

function remedy(issue: z.core.$ZodIssue, value: unknown, text: string): string {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = EXPECTED[issue.expected] ?? `a ${issue.expected}`;
      return value === undefined ? `is missing: write ${expected}` : `is ${text}: write ${expected}`;
    }
    case 'invalid_value': {
      if (issue.path.at(-1) === 'tier' && typeof value === 'string' && /^B[123]$/i.test(value)) {
        return `is ${text}: basic tiers have no device twins; write F1, S1, S2 or S3`;
      }
      return `is ${value === undefined ? 'missing' : text}: write one of ${issue.values.map(String).join(', ')}`;
    }
    case 'too_small':
      return issue.origin === 'array' || issue.origin === 'string'
        ? issue.message.startsWith('Too small')
          ? issue.minimum === 1
            ? 'is empty: write a value'
            : `is too short: write at least ${issue.minimum}`
          : issue.message
        : `is ${text}: write a number ${issue.inclusive === false ? 'above' : 'of at least'} ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array' || issue.origin === 'string'
        ? `is too long: at most ${issue.maximum}`
        : `is ${text}: write a number ${issue.inclusive === false ? 'below' : 'of at most'} ${issue.maximum}`;
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'has a name that is not allowed';
    case 'invalid_union':
      // The message of a discriminated union lists the allowed values of its field.
      if ('discriminator' in issue) return `is ${value === undefined ? 'missing' : text}: ${issue.message}`;
      return `is ${text}: ${issue.message.startsWith('write ') ? issue.message : 'write a JSON value'}`;
    default:
      // A message of Berth's schema that starts with a verb is complete.
      return /^(is|has|takes|sets) /.test(issue.message) || typeof value === 'object'
        ? issue.message
        : `is ${text}: ${issue.message}`;
  }
}

function shown(path: readonly PropertyKey[], value: unknown, notEchoed: ReadonlySet<string>): string {
  const field = path.findLast((part) => typeof part === 'string');
  if (notEchoed.has(String(field)) || path.some((part) => NOT_ECHOED_BELOW.test(String(part)))) {
    return 'not valid (its value is not shown here)';
  }
  if (typeof value === 'string' && HUB_FIELDS.has(String(field))) return shownHub(value);
  const text = JSON.stringify(value) ?? String(value);
  if (SECRET.test(text)) return NOT_REPEATED;
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
}
