import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseEnrollments } from '../../enroll/parse.ts';
import { hasAllKeys, type KeyProblem, resolveEnrollments } from '../../enroll/resolve.ts';
import type { EnrollmentsFile } from '../../enroll/schema.ts';
import type { PlanKey, WantedEnrollment } from '../../enroll/wanted.ts';
import type { Environment } from '../../settings/settings.ts';
import { readTextFile, withProblems } from '../shell/files.ts';
import { textOr } from '../shell/inputs.ts';

/** The default enrollments file, in the current folder. */
export const ENROLLMENTS_FILE = 'enrollments.json';

/** The input of commands that compare an enrollments file with DPS. */
export const FROM_ENROLLMENTS_FILE = {
  '--file <file>': textOr(ENROLLMENTS_FILE, 'the enrollments file'),
};

/**
 * Reads an enrollments file, which must be valid.
 *
 * @throws BerthError `BERTH_ENROLLMENTS_INVALID` with every problem, `BERTH_FILE_UNREADABLE`
 */
export function readEnrollmentsFile(file: string): EnrollmentsFile {
  const parsed = parseEnrollments(readTextFile(file));
  if (parsed.ok) return parsed.file;
  throw withProblems('BERTH_ENROLLMENTS_INVALID', file, parsed.problems);
}

/**
 * Reads the enrollments of a file, with the keys and certificates that it names: from the environment, and from
 * files next to it.
 *
 * @throws BerthError `BERTH_ENROLLMENTS_INVALID`, also for a key whose variable is not set; `BERTH_FILE_UNREADABLE`
 */
export function wantedEnrollments(file: string, env: Environment): readonly WantedEnrollment[] {
  const { wanted, problems } = resolvedFile(file, env);
  refuse(file, problems);
  return wanted.filter(hasAllKeys);
}

/**
 * Reads the enrollments of a file to compare them. Keys whose variables are not set are unknown in them.
 *
 * @throws BerthError `BERTH_ENROLLMENTS_INVALID`, `BERTH_FILE_UNREADABLE`
 */
export function comparedEnrollments(file: string, env: Environment): readonly WantedEnrollment<PlanKey>[] {
  const { wanted, problems } = resolvedFile(file, env);
  refuse(
    file,
    problems.filter(({ isUnset }) => !isUnset),
  );
  return wanted;
}

function resolvedFile(file: string, env: Environment) {
  const folder = file === '-' ? process.cwd() : dirname(resolve(file));
  return resolveEnrollments(readEnrollmentsFile(file), {
    variable: (name) => env[name],
    file(path) {
      try {
        return readFileSync(resolve(folder, path));
      } catch {
        return undefined;
      }
    },
  });
}

function refuse(file: string, problems: readonly KeyProblem[]): void {
  if (problems.length === 0) return;
  const details = problems.map(({ path, message }) => ({ path, message }));
  throw withProblems('BERTH_ENROLLMENTS_INVALID', file, details);
}
