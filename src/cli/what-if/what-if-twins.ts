import { BerthError } from '../../errors.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { stamp, stateAccount } from '../../settings/settings.ts';
import { type FleetSource, type TwinJob, twinTrialOf } from '../../what-if/twin-job.ts';
import { twinReportOf } from '../../what-if/twin-report.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { readFleetFile } from '../shell/files.ts';
import { type ProgressBar, showCount, showProgress } from '../shell/progress.ts';
import { openState, type State } from '../shell/state.ts';
import { count, plural, sayJson, type Terminal, tell } from '../shell/terminal.ts';
import type { Threads } from './threads.ts';
import { type TwinReaders, tryBuckets } from './twin-buckets.ts';
import { readerHere } from './twin-reader.ts';
import { DEFAULT_FIRST, type TwinsQuestion } from './what-if-inputs.ts';
import { sayTwinReport } from './what-if-twins-text.ts';

/** The most patches to show: they are in memory, for each of up to 200 policies. */
const MOST_FIRST = 1_000;

/**
 * `berth what-if --twins`: estimates what a fleet file would write to the twins in the state tables. Calls no
 * hub and writes nothing. The exit code is 1 if more twins than `--max-writes` would be written.
 */
export async function whatIfTwins(
  { terminal, env, now }: Cli,
  options: TwinsQuestion,
  threads: Threads,
): Promise<number> {
  const { maxWrites, first = DEFAULT_FIRST } = options;
  if (first > MOST_FIRST) throw invalid(`--first is ${first}: write at most ${count(MOST_FIRST)}.`);
  const file = readFleetFile(options.fleet);
  const against = options.against === undefined ? undefined : readFleetFile(options.against);
  const state = openState(env);
  const control = await state.control.read();
  const job: TwinJob = {
    fleet: sourceOf(file),
    against: against && sourceOf(against),
    stamp: stamp(env),
    control,
    now: now(),
    first,
  };
  const trial = twinTrialOf(job, file.fleet, against?.fleet);

  const progress = await expect(terminal, state, [...trial.hosts]);
  const readers: TwinReaders = {
    here: readerHere(state.twins, trial, first),
    number: threads.number,
    start: () => threads.startTwins({ job, account: stateAccount(env) }),
  };
  const tally = await tryBuckets(readers, first, progress.show).finally(progress.end);
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

function sourceOf({ fleet, text }: ReturnType<typeof readFleetFile>): FleetSource {
  return { text, models: fleet.models };
}
