import type { ErrorCode, ErrorDetail } from '../../errors.ts';
import { adviceOn } from '../../fleet/advice/advice.ts';
import { deploymentProblems, deploymentWarnings } from '../../fleet/advice/deployability.ts';
import { parseFleetWithModels } from '../../fleet/file/models.ts';
import type { ParsedFleet } from '../../fleet/file/parse.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { DPS_REGISTRATIONS_PER_MINUTE } from '../../iot-hub/throttles.ts';
import { invalid, readWholeNumber } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { chosenFleetFile, readModelsOf, readTextFile } from '../shell/files.ts';
import { FLEET_FILE, type Given, JSON_OUTPUT, text, toggle, wholeNumber } from '../shell/inputs.ts';
import { indented } from '../shell/json-mode.ts';
import { plural, say, sayJson, shortRevision, type Terminal } from '../shell/terminal.ts';

/** Partitions of the local stack. `TWIN_EVENTS_PARTITIONS` is the number of a deployment. */
const PARTITIONS = 4;
/** Registrations that one unit of S1 takes in a minute. */
const REGISTRATIONS = 100;

const NOT_DEPLOYABLE: ErrorCode = 'BERTH_FLEET_NOT_DEPLOYABLE';

const INPUTS = {
  '[file]': text('the fleet file (default: --fleet, else FLEET_FILE, else fleet.json)'),
  '--fleet <file>': FLEET_FILE,
  '--registrations <n>': wholeNumber(
    1,
    `registrations a minute to expect (default: ${REGISTRATIONS}; one DPS takes ${DPS_REGISTRATIONS_PER_MINUTE})`,
  ),
  '--partitions <n>': wholeNumber(
    1,
    `partitions of the Event Hub (default: TWIN_EVENTS_PARTITIONS, else ${PARTITIONS})`,
  ),
  '--dps <n>': wholeNumber(1, 'DPS instances that share the hubs (default: 1)'),
  '--strict': toggle('fail on warnings too'),
  ...JSON_OUTPUT,
};

/** `berth validate`: lists every problem and every warning of a fleet file, for CI. */
export function registerValidate(berth: CommandGroup): void {
  berth.command({
    name: 'validate',
    description: 'check a fleet file and list every problem and every warning',
    inputs: INPUTS,
    example: 'berth validate --strict --registrations 200',
    changes: false,
    run: validate,
  });
}

async function validate(
  { terminal, env }: Cli,
  { file: argument, fleet: option, strict, json, ...options }: Given<typeof INPUTS>,
): Promise<number> {
  if (argument !== undefined && option !== undefined) throw invalid('Give the file or --fleet, not both.');
  const checked = checkFleetFile(chosenFleetFile(argument ?? option, env), env, options);
  if (json) sayJson(terminal, jsonOf(checked));
  else sayChecked(terminal, checked);
  const isFine = checked.problems.length === 0 && (!strict || checked.warnings.length === 0);
  return isFine ? 0 : 1;
}

/** What is wrong with a fleet file, and what may be. */
export interface CheckedFleet {
  readonly file: string;
  readonly parsed: ParsedFleet;
  readonly problems: readonly ErrorDetail[];
  readonly warnings: readonly ErrorDetail[];
}

/** Checks a fleet file as `berth validate` does. */
export function checkFleetFile(
  file: string,
  env: Cli['env'],
  { registrations, partitions, dps = 1 }: Partial<Given<typeof INPUTS>>,
): CheckedFleet {
  const expectations = {
    registrationsPerMinute: registrations ?? REGISTRATIONS,
    partitions:
      partitions ??
      readWholeNumber('TWIN_EVENTS_PARTITIONS', env.TWIN_EVENTS_PARTITIONS || undefined, 1) ??
      PARTITIONS,
  };
  const text = readTextFile(file);
  const parsed = parseFleetWithModels(text, readModelsOf(file));
  const problems = parsed.ok ? deploymentProblems(parsed.fleet, dps) : parsed.problems;
  const warnings = parsed.ok
    ? [...parsed.warnings, ...adviceOn(parsed.fleet, expectations), ...deploymentWarnings(text, dps)]
    : [];
  return { file, parsed, problems, warnings };
}

/** The result as JSON. */
export function jsonOf({ parsed, problems, warnings }: CheckedFleet): object {
  const isValid = problems.length === 0;
  return {
    valid: isValid,
    ...(isValid && parsed.ok ? { revision: parsed.fleet.revision } : {}),
    ...(!isValid && parsed.ok ? { code: NOT_DEPLOYABLE } : {}),
    problems,
    warnings,
  };
}

/** Writes the result as text. */
export function sayChecked(terminal: Terminal, { file, parsed, problems, warnings }: CheckedFleet): void {
  for (const problem of problems) say(terminal, `problem  ${indented(line(problem), 9)}`);
  for (const warning of warnings) say(terminal, `warning  ${indented(line(warning), 9)}`);
  say(
    terminal,
    `${statusOf(file, parsed, problems.length)}${warnings.length === 0 ? '' : `; ${plural(warnings.length, 'warning')}`}.`,
  );
}

function statusOf(file: string, parsed: ParsedFleet, problems: number): string {
  if (!parsed.ok) return `${file} is not valid: ${plural(problems, 'problem')}`;
  if (problems > 0) {
    return `${NOT_DEPLOYABLE}: ${file} is valid for Berth, but Azure would refuse it: ${plural(problems, 'problem')}`;
  }
  return `${file} is valid: ${plural(parsed.fleet.hubs.length, 'hub')}${modelsOf(parsed.fleet)}, revision ${shortRevision(parsed.fleet.revision)}`;
}

/** Berth uses only models with components. */
function modelsOf({ models }: Fleet): string {
  const count = Object.keys(models).length;
  return count === 0 ? '' : `, ${plural(count, 'model')} with components`;
}

function line({ path, message }: ErrorDetail): string {
  return path === '' ? `The file ${message}` : `${path} ${message}`;
}
