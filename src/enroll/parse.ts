import type { ErrorDetail } from '../errors.ts';
import { whereIn } from '../fleet/parse.ts';
import { schemaProblems } from '../fleet/problems.ts';
import { type JsonValue, jsonHazard } from '../json.ts';
import { referenceProblems } from './references.ts';
import { type EnrollmentsFile, enrollmentsFileSchema } from './schema.ts';

const MAX_BYTES = 16 * 1024 * 1024;
/** Twins are at most 10 deep, and they lie a few levels down. */
const MAX_DEPTH = 32;

export type ParsedEnrollments =
  | { readonly ok: true; readonly file: EnrollmentsFile }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] };

/**
 * Reads an enrollments file. Never throws: every problem comes back at once, each with its path and what to write
 * instead. No value that may be a key by mistake is repeated.
 */
export function parseEnrollments(text: string): ParsedEnrollments {
  const refused = (message: string): ParsedEnrollments => ({ ok: false, problems: [{ path: '', message }] });
  if (Buffer.byteLength(text, 'utf8') > MAX_BYTES) return refused('is larger than 16 MB: enroll by groups');
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    return refused(`is not JSON${whereIn(text, error)}`);
  }
  const hazard = jsonHazard(json, MAX_DEPTH);
  if (hazard === 'too deep') return refused(`is nested deeper than ${MAX_DEPTH} levels`);
  if (hazard === '__proto__') return refused('holds the key "__proto__": choose another name');
  const parsed = enrollmentsFileSchema.safeParse(json);
  const problems = [
    ...(parsed.success ? [] : schemaProblems(parsed.error, json, NOT_ECHOED)),
    ...referenceProblems(json as JsonValue),
  ];
  return parsed.success && problems.length === 0 ? { ok: true, file: parsed.data } : { ok: false, problems };
}

/** Fields into which somebody may have written a key. */
const NOT_ECHOED: ReadonlySet<string> = new Set([
  'url',
  'webhook',
  'attestation',
  'primaryKeyFrom',
  'secondaryKeyFrom',
  'derivedFrom',
  'secondaryDerivedFrom',
  'endorsementKeyFrom',
  'endorsementKeyFile',
  'primary',
  'secondary',
]);
