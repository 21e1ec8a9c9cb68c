import { BerthError } from '../../errors.ts';
import { hostsOf } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type Environment, stamp } from '../../settings/settings.ts';
import { type ReadExport, readExport } from '../../store/export/state-export.ts';
import type { ImportPlan, RowImport } from '../../store/export/state-exporter.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { parseJsonFile, readTextFile } from '../shell/files.ts';
import { type Given, requiredText, toggle } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState, type State } from '../shell/state.ts';
import { say, tell } from '../shell/terminal.ts';
import { partsText } from './parts-text.ts';

const INPUTS = {
  '<file>': requiredText('an export of "berth state export", or of the daily export'),
  '--replace': toggle('replace what the state tables hold and the export has in another form'),
  '--other-stamp': toggle('take the export of another stamp'),
};

/** `berth state import`: writes an export into the state tables, and says how to read everything else again. */
export function registerStateImport(state: CommandGroup): void {
  state.command({
    name: 'import',
    description: 'write an export into empty state tables, and print how to read all twins again',
    inputs: INPUTS,
    example: 'berth state import state.json',
    changes: true,
    run: importState,
  });
}

async function importState(
  { terminal, env, now }: Cli,
  { file, replace, otherStamp }: Given<typeof INPUTS>,
): Promise<number> {
  const read = readExport(parseJsonFile(readTextFile(file), file), file);
  if (!otherStamp) refuseOtherStamp(read, env, file);
  const state = openState(env);
  const plan = await state.exporter.plan(read, now());
  if (plan.differs && !replace) throw notEmpty(plan, state, file);
  // Instances of the app that run use these tables, and do not create them again.
  await state.createTables();
  await state.exporter.write(plan);

  tell(terminal, `Imported ${file}, the export of ${printable(read.from)} from ${read.exportedAt}.`);
  for (const line of writtenLines(plan)) tell(terminal, line);
  tell(terminal, await redactionText(read, state));
  await tellNext(terminal, state, env);
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

/** Deployments with other hubs have other pauses and other rollouts. */
function refuseOtherStamp({ stamp: exported }: ReadExport, env: Environment, file: string): void {
  const own = stamp(env) ?? null;
  if (exported === own) return;
  const named = (name: string | null) => (name === null ? 'no stamp' : `the stamp "${printable(name)}"`);
  throw new BerthError(
    'BERTH_STATE_OTHER_STAMP',
    `${file} is an export of a deployment with ${named(exported)}, and BERTH_STAMP names ${named(own)}. Set BERTH_STAMP to the stamp of these state tables, or add --other-stamp.`,
  );
}

function notEmpty(plan: ImportPlan, { place }: State, file: string): BerthError {
  const details = plan.rows.flatMap((row) => {
    const message = differenceOf(row);
    return message === undefined ? [] : [{ path: `${row.part.name}.${row.key}`, message }];
  });
  return new BerthError(
    'BERTH_STATE_NOT_EMPTY',
    `The state tables in ${place} hold something else than ${file}. Nothing was written. Export them first, then add --replace: ${countsText(plan, ['replaced', 'removed'])} would be replaced or removed.`,
    { details },
  );
}

function differenceOf({ kind }: RowImport): string | undefined {
  switch (kind) {
    case 'replaced':
      return 'differs from the export, and would be replaced';
    case 'removed':
      return 'is not in the export, and would be removed';
    case 'left':
      return 'is not in the export, and would stay';
    default:
      return undefined;
  }
}

function writtenLines(plan: ImportPlan): readonly string[] {
  const kinds = [
    ['Written', ['created']],
    ['Replaced', ['replaced']],
    ['Removed', ['removed']],
    ['Unchanged, because they are equal', ['unchanged']],
    ['Left, because the export does not have them', ['left']],
  ] as const;
  return kinds.flatMap(([what, which]) => {
    const counts = countsText(plan, which);
    return counts === 'nothing' ? [] : [`${what}: ${counts}.`];
  });
}

function countsText({ rows }: ImportPlan, kinds: readonly RowImport['kind'][]): string {
  return partsText((name) => rows.filter((row) => row.part.name === name && kinds.includes(row.kind)).length);
}

async function redactionText({ redactionKey }: ReadExport, { exporter }: State): Promise<string> {
  if (redactionKey === null || redactionKey === (await exporter.redactionKey())) {
    return 'The redaction key is the same as before, or there was none.';
  }
  return 'The redaction key is another one than before: an export does not have it. Berth compares redacted values again after it has read the twins. It does not notice a value of an app setting in a manifest of IoT Edge that has changed since the export.';
}

/** The commands that read everything else from the hubs. */
async function tellNext(terminal: Cli['terminal'], state: State, env: Environment): Promise<void> {
  const hosts = await knownHosts(state, env);
  tell(terminal, 'Everything else is read from the hubs. Start the app, and run for each hub:');
  for (const host of hosts ?? ['HOST']) say(terminal, `berth resync --hub ${host} --reason "state imported"`);
}

/** Undefined: the fleet file in force is missing or not valid for this package. */
async function knownHosts(state: State, env: Environment): Promise<readonly HostName[] | undefined> {
  try {
    return hostsOf(await fleetInForce(state), stamp(env));
  } catch (error) {
    if (error instanceof BerthError && error.code === 'BERTH_FLEET_INVALID') return undefined;
    throw error;
  }
}
