import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { BerthError } from '../../errors.ts';
import type { JsonValue } from '../../json/json.ts';
import { type Job, openTrial } from '../../what-if/job.ts';
import { canBeParent, readKnownDevice } from '../../what-if/known-device.ts';
import { reportOf } from '../../what-if/report.ts';
import { addUp, NO_TALLY, type Tally } from '../../what-if/tally.ts';
import type { DeviceBatch } from '../../what-if/try-devices.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { readFleetFile } from '../shell/files.ts';
import { type ProgressBar, showProgress } from '../shell/progress.ts';
import { count, sayJson, tell } from '../shell/terminal.ts';
import type { Threads } from './threads.ts';
import type { PlacementQuestion } from './what-if-inputs.ts';
import { sayReport } from './what-if-placement-text.ts';
import type { TrialWorker, WorkerData } from './worker-pool.ts';

/**
 * Devices in one message to a worker: enough to make messages cheap, few enough for a smooth progress bar.
 */
const PART = 2_000;
const MOST_SYNTHETIC = 10_000_000;

/**
 * `berth what-if --devices`: estimates the hubs of devices under another fleet file. The exit code is 1 if
 * more devices than `--max-moves` would move or would no longer get a hub.
 */
export async function whatIfPlacement(
  { terminal, now }: Cli,
  options: PlacementQuestion,
  threads: Threads,
): Promise<number> {
  const { maxMoves } = options;
  const synthetic = /^\d+$/.test(options.devices) ? Number(options.devices) : undefined;
  if (synthetic !== undefined && (synthetic < 1 || synthetic > MOST_SYNTHETIC)) {
    throw invalid(
      `--devices is ${options.devices}: write a number from 1 to ${count(MOST_SYNTHETIC)}, or a file of "berth export".`,
    );
  }
  if (synthetic === undefined && options.payload.length > 0) {
    throw invalid(
      '--payload is only for synthetic devices: give a number as --devices, or leave out --payload.',
    );
  }
  const { fleet, text } = readFleetFile(options.fleet);
  const job: Job = {
    fleet: text,
    against: options.against === undefined ? undefined : readFleetFile(options.against).text,
    payloads: options.payload.map(readPayload),
    isSynthetic: synthetic !== undefined,
  };
  const trial = openTrial(job, now());
  const files = [trial.tried, ...(trial.against === undefined ? [] : [trial.against])];
  const namesParents = synthetic === undefined && files.some((file) => file.fleet.allocation.namesParents);
  const parents = namesParents ? await parentLines(options.devices) : [];
  const data = { job: { ...job, parents }, now: trial.now };
  const progress = showProgress(terminal, 'devices');
  let tally: Tally;
  try {
    const parts =
      synthetic === undefined ? partsOf(options.devices, progress) : numbered(synthetic, progress);
    tally = await spread(parts, threads, data, progress, options.devices);
  } finally {
    progress.end();
  }
  if (tally.devices === 0) {
    throw new BerthError(
      'BERTH_DEVICES_INVALID',
      `${options.devices} contains no devices: give a file of "berth export" or a number.`,
    );
  }
  const report = reportOf(tally, fleet, trial.leftOut);
  if (options.json) sayJson(terminal, report);
  else sayReport(terminal, report, options.against ?? 'the present hubs');
  if (maxMoves === undefined) return 0;
  const { moves, refused, undecided } = report;
  const unsure =
    undecided === 0
      ? ''
      : ` (not counted: ${count(undecided)} devices with values that are not stored can still move)`;
  const said = `${count(moves.count)} devices would move and ${count(refused.count)} would no longer get a hub${unsure}`;
  if (moves.count + refused.count > maxMoves) {
    throw new BerthError('BERTH_TOO_MANY_MOVES', `${said}; --max-moves allows ${count(maxMoves)}.`);
  }
  tell(terminal, `${said}; at most ${count(maxMoves)} are allowed.`);
  return 0;
}

interface NumberedPart {
  readonly part: DeviceBatch;
  /** The first line of the part in the file, from 1. */
  readonly firstLine: number;
}

/** Gives each free worker the next part, and adds up the results. */
async function spread(
  parts: AsyncIterable<NumberedPart>,
  threads: Threads,
  data: WorkerData,
  progress: ProgressBar,
  file: string,
): Promise<Tally> {
  const workers = Array.from({ length: threads.number }, () => threads.start(data));
  const queue = parts[Symbol.asyncIterator]();
  let tally = NO_TALLY;
  const work = async (worker: TrialWorker): Promise<void> => {
    for (;;) {
      const { value, done } = await queue.next();
      if (done) return;
      const result = await worker.tryPart(value.part);
      if (!result.ok) {
        throw new BerthError(
          'BERTH_DEVICES_INVALID',
          `Line ${value.firstLine + result.line} of ${file} is not a device: give a file that "berth export" wrote.`,
        );
      }
      tally = addUp(tally, result.tally);
      progress.show(tally.devices);
    }
  };
  try {
    await Promise.all(workers.map(work));
    return tally;
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

async function* numbered(devices: number, progress: ProgressBar): AsyncGenerator<NumberedPart> {
  progress.expect(devices);
  for (let from = 0; from < devices; from += PART) {
    yield { part: { kind: 'numbers', from, to: Math.min(devices, from + PART) }, firstLine: 1 };
  }
}

/** @throws BerthError `BERTH_FILE_UNREADABLE` */
async function* partsOf(file: string, progress: ProgressBar): AsyncGenerator<NumberedPart> {
  const input = file === '-' ? process.stdin : await openFile(file);
  const size = file === '-' ? 0 : statSync(file).size;
  let bytes = 0;
  let line = 0;
  for await (const { lines, bytes: read } of linesOf(input, PART)) {
    const firstLine = line + 1;
    line += lines.length;
    bytes += read;
    // The total is not known before the end. This estimate assumes lines of similar length.
    if (size > 0) progress.expect(Math.round((line * size) / bytes));
    yield { part: { kind: 'lines', lines }, firstLine };
  }
}

interface Lines {
  readonly lines: readonly string[];
  readonly bytes: number;
}

/** The lines of a text, in parts. `node:readline` takes three times as long. */
async function* linesOf(input: NodeJS.ReadableStream, part: number): AsyncGenerator<Lines> {
  input.setEncoding('utf8');
  let lines: string[] = [];
  let rest = '';
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<string>) {
    bytes += Buffer.byteLength(chunk);
    const found = (rest + chunk).split(/\r?\n/);
    rest = found.pop() ?? '';
    for (const line of found) lines.push(line);
    if (lines.length < part) continue;
    yield { lines, bytes };
    lines = [];
    bytes = 0;
  }
  if (rest !== '') lines.push(rest);
  if (lines.length > 0) yield { lines, bytes };
}

/**
 * The lines of the devices that can be parents. A child goes to the hub of its parent, so they are read before all others.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE`, `BERTH_ARGUMENT_INVALID` for standard input, which can be read only once
 */
async function parentLines(file: string): Promise<readonly string[]> {
  if (file === '-') {
    throw invalid('--devices is -, but a rule names parents, so the devices are read twice: give a file.');
  }
  const found: string[] = [];
  const input = await openFile(file);
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const device = readKnownDevice(text);
    if (device !== undefined && canBeParent(device)) found.push(text);
  }
  return found;
}

async function openFile(file: string): Promise<NodeJS.ReadableStream> {
  const stream = createReadStream(file, 'utf8');
  try {
    await once(stream, 'readable');
    return stream;
  } catch {
    throw new BerthError(
      'BERTH_FILE_UNREADABLE',
      `${file} cannot be read: --devices takes a file of "berth export" or a number of synthetic devices.`,
    );
  }
}

function readPayload(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw invalid(
      `--payload is ${text.slice(0, 80)}, which is not JSON: write, for example, '{"country":"DE"}'.`,
    );
  }
}
