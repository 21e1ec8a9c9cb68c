import type { ErrorDetail } from '../errors.ts';
import { adviceOn } from '../fleet/advice.ts';
import { DPS_REGISTRATIONS_PER_MINUTE } from '../fleet/hub-limits.ts';
import { parseFleet } from '../fleet/parse.ts';
import { wholeNumber } from './arguments.ts';
import type { Cli } from './cli.ts';
import { readText } from './files.ts';
import { plural, say, sayJson } from './terminal.ts';

export interface ValidateOptions {
  readonly registrations?: string | undefined;
  readonly partitions?: string | undefined;
  /** Warnings fail too. */
  readonly strict: boolean;
  readonly json: boolean;
}

/** As many as the local stack has; `TWIN_EVENTS_PARTITIONS` says how many a deployment has. */
const PARTITIONS = 4;

/** `berth validate`: every problem of a fleet file, and what will hurt though it is valid. For CI. */
export async function validate(
  { terminal, env }: Cli,
  file: string,
  options: ValidateOptions,
): Promise<number> {
  const expectations = {
    registrationsPerMinute:
      wholeNumber('--registrations', options.registrations, 1) ?? DPS_REGISTRATIONS_PER_MINUTE,
    partitions:
      wholeNumber('--partitions', options.partitions, 1) ??
      wholeNumber('TWIN_EVENTS_PARTITIONS', env.TWIN_EVENTS_PARTITIONS || undefined, 1) ??
      PARTITIONS,
  };
  const parsed = parseFleet(readText(file));
  const problems = parsed.ok ? [] : parsed.problems;
  const warnings = parsed.ok ? [...parsed.warnings, ...adviceOn(parsed.fleet, expectations)] : [];
  const isFine = problems.length === 0 && (!options.strict || warnings.length === 0);
  if (options.json) {
    sayJson(terminal, {
      valid: parsed.ok,
      ...(parsed.ok ? { revision: parsed.fleet.revision } : {}),
      problems,
      warnings,
    });
    return isFine ? 0 : 1;
  }
  for (const problem of problems) say(terminal, `problem  ${line(problem)}`);
  for (const warning of warnings) say(terminal, `warning  ${line(warning)}`);
  const verdict = parsed.ok
    ? `${file} is valid: ${plural(parsed.fleet.hubs.length, 'hub')}, revision ${parsed.fleet.revision.slice(0, 12)}`
    : `${file} is not valid: ${plural(problems.length, 'problem')}`;
  say(terminal, `${verdict}${warnings.length === 0 ? '' : `; ${plural(warnings.length, 'warning')}`}.`);
  return isFine ? 0 : 1;
}

function line({ path, message }: ErrorDetail): string {
  return path === '' ? `The file ${message}` : `${path} ${message}`;
}
