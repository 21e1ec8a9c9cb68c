import { BerthError } from '../../errors.ts';
import { hostsOf } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { stamp } from '../../settings/settings.ts';
import { type TwinTrial, tryTwin } from '../../what-if/try-twin.ts';
import { twinReportOf } from '../../what-if/twin-report.ts';
import { TwinTally } from '../../what-if/twin-tally.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { readFleetFile } from '../shell/files.ts';
import { type ProgressBar, showCount, showProgress } from '../shell/progress.ts';
import { openState, type State } from '../shell/state.ts';
import { count, plural, sayJson, type Terminal, tell } from '../shell/terminal.ts';
import { DEFAULT_FIRST, type TwinsQuestion } from './what-if-inputs.ts';
import { sayTwinReport } from './what-if-twins-text.ts';

/** The most patches to show: they are in memory, for each of up to 200 policies. */
const MOST_FIRST = 1_000;

/**
 * `berth what-if --twins`: estimates what a fleet file would write to the twins in the state tables. Calls no
 * hub and writes nothing. The exit code is 1 if more twins than `--max-writes` would be written.
 */
export async function whatIfTwins({ terminal, env, now }: Cli, options: TwinsQuestion): Promise<number> {
  const { maxWrites, first = DEFAULT_FIRST } = options;
  if (first > MOST_FIRST) throw invalid(`--first is ${first}: write at most ${count(MOST_FIRST)}.`);
  const { fleet } = readFleetFile(options.fleet);
  const against = options.against === undefined ? undefined : readFleetFile(options.against).fleet;
  const state = openState(env);
  const control = await state.control.read();
  const hosts = hostsOf(fleet, stamp(env));
  const trial: TwinTrial = {
    fleet,
    against,
    hosts: new Set(hosts),
    untrusted: new Set(Object.keys(control.untrusted)),
    control,
    now: now(),
  };

  const tally = await tallyOf(trial, state, await expect(terminal, state, hosts), first);
  const report = twinReportOf(tally, trial, control);

  tell(terminal, `State: ${state.place}.`);
  if (options.json) sayJson(terminal, report);
  else sayTwinReport(terminal, report, options.against ?? 'the present twins', trial.now);
  if (maxWrites === undefined) return 0;
  const writes = report.writes.count;
  const said = `${plural(writes, 'twin')} would be written`;
  if (writes > maxWrites) {
    throw new BerthError('BERTH_TOO_MANY_WRITES', `${said}; --max-writes allows ${count(maxWrites)}.`);
  }
  tell(terminal, `${said}; at most ${count(maxWrites)} are allowed.`);
  return 0;
}

/**
 * Uses one thread: more would only wait for the tables. Planning a twin takes from 10 microseconds (two
 * policies) to 200 (sixteen properties to write). Reading one from the tables takes 100 or more, and the next
 * page loads meanwhile.
 */
async function tallyOf(
  trial: TwinTrial,
  state: State,
  progress: ProgressBar,
  first: number,
): Promise<TwinTally> {
  const tally = new TwinTally(first);
  try {
    for await (const { id, known } of state.twins.records()) {
      tally.add(id, tryTwin(id, known, trial));
      if (tally.twins % 100 === 0) progress.show(tally.twins);
    }
  } finally {
    progress.end();
  }
  return tally;
}

/** A progress bar with the last count of twins as its total. */
async function expect(terminal: Terminal, state: State, hosts: readonly HostName[]): Promise<ProgressBar> {
  // Only the bar needs the total.
  if (!terminal.err.isTTY) return showCount(terminal, 'twins');
  let counted = 0;
  for (const { statuses } of (await state.twinCounts.read(hosts)).values()) {
    counted += Object.values(statuses).reduce((sum, number) => sum + number, 0);
  }
  if (counted === 0) return showCount(terminal, 'twins');
  const progress = showProgress(terminal, 'twins');
  progress.expect(counted);
  return progress;
}
