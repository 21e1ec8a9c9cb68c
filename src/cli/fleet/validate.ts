import type { ErrorDetail } from '../../errors.ts';
import { adviceOn } from '../../fleet/advice/advice.ts';
import { parseFleetWithModels } from '../../fleet/file/models.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { DPS_REGISTRATIONS_PER_MINUTE } from '../../iot-hub/throttles.ts';
import { readWholeNumber } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { readModelsOf, readTextFile } from '../shell/files.ts';
import { FLEET_FILE, type Given, JSON_OUTPUT, textOr, toggle, wholeNumber } from '../shell/inputs.ts';
import { plural, say, sayJson, shortRevision } from '../shell/terminal.ts';

/** Partitions of the local stack. `TWIN_EVENTS_PARTITIONS` is the number of a deployment. */
const PARTITIONS = 4;

const INPUTS = {
  '[file]': textOr(FLEET_FILE, 'the fleet file'),
  '--registrations <n>': wholeNumber(
    1,
    `registrations a minute to expect (default: ${DPS_REGISTRATIONS_PER_MINUTE}, the limit of one DPS)`,
  ),
  '--partitions <n>': wholeNumber(
    1,
    `partitions of the Event Hub (default: TWIN_EVENTS_PARTITIONS, else ${PARTITIONS})`,
  ),
  '--strict': toggle('fail on warnings too'),
  ...JSON_OUTPUT,
};

/** `berth validate`: lists every problem and every warning of a fleet file, for CI. */
export function registerValidate(berth: CommandGroup): void {
  berth.command({
    name: 'validate',
    description: 'check a fleet file and list every problem and every warning',
    inputs: INPUTS,
    run: validate,
  });
}

async function validate(
  { terminal, env }: Cli,
  { file, registrations, partitions, strict, json }: Given<typeof INPUTS>,
): Promise<number> {
  const expectations = {
    registrationsPerMinute: registrations ?? DPS_REGISTRATIONS_PER_MINUTE,
    partitions:
      partitions ??
      readWholeNumber('TWIN_EVENTS_PARTITIONS', env.TWIN_EVENTS_PARTITIONS || undefined, 1) ??
      PARTITIONS,
  };
  const parsed = parseFleetWithModels(readTextFile(file), readModelsOf(file));
  const problems = parsed.ok ? [] : parsed.problems;
  const warnings = parsed.ok ? [...parsed.warnings, ...adviceOn(parsed.fleet, expectations)] : [];
  const isFine = problems.length === 0 && (!strict || warnings.length === 0);
  if (json) {
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
  const status = parsed.ok
    ? `${file} is valid: ${plural(parsed.fleet.hubs.length, 'hub')}${modelsOf(parsed.fleet)}, revision ${shortRevision(parsed.fleet.revision)}`
    : `${file} is not valid: ${plural(problems.length, 'problem')}`;
  say(terminal, `${status}${warnings.length === 0 ? '' : `; ${plural(warnings.length, 'warning')}`}.`);
  return isFine ? 0 : 1;
}

/** Berth uses only models with components. */
function modelsOf({ models }: Fleet): string {
  const count = Object.keys(models).length;
  return count === 0 ? '' : `, ${plural(count, 'model')} with components`;
}

function line({ path, message }: ErrorDetail): string {
  return path === '' ? `The file ${message}` : `${path} ${message}`;
}
