import type { ErrorDetail } from '../errors.ts';
import { readFileText } from '../fleet/file/file-text.ts';
import { schemaProblems } from '../fleet/file/problems.ts';
import { enrollmentReferenceProblems } from './references.ts';
import { type EnrollmentsFile, enrollmentsFileSchema } from './schema.ts';

const MAX_BYTES = 16 * 1024 * 1024;

export type ParsedEnrollments =
  | { readonly ok: true; readonly file: EnrollmentsFile }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] };

/**
 * Reads an enrollments file. It never throws: it returns all problems at once, each with its path and the
 * correction. It repeats no value that may be a key by mistake.
 */
export function parseEnrollments(text: string): ParsedEnrollments {
  const refused = (message: string): ParsedEnrollments => ({ ok: false, problems: [{ path: '', message }] });
  if (Buffer.byteLength(text, 'utf8') > MAX_BYTES)
    return refused('is larger than 16 MB: use enrollment groups');
  const read = readFileText(text);
  if (!read.ok) return read;
  const { json } = read;
  const parsed = enrollmentsFileSchema.safeParse(json);
  const problems = [
    ...(parsed.success ? [] : schemaProblems(parsed.error, json, enrollmentsFileSchema, NOT_ECHOED)),
    ...enrollmentReferenceProblems(json),
  ];
  return parsed.success && problems.length === 0 ? { ok: true, file: parsed.data } : { ok: false, problems };
}

/** Fields that may contain a key by mistake. */
const NOT_ECHOED: ReadonlySet<string> = new Set([
  'url',
  'keyFrom',
  'keyName',
  'apps',
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
