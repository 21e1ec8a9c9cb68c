import { once } from 'node:events';
import { closeSync, createWriteStream, openSync, readSync, statSync } from 'node:fs';
import { BerthError } from '../../errors.ts';
import { readKnownDevice, writeKnownDevice } from '../../what-if/known-device.ts';
import { knownDevices } from '../../what-if/known-devices.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { unwritable } from '../shell/files.ts';
import { type Given, text } from '../shell/inputs.ts';
import { showCount } from '../shell/progress.ts';
import { openState } from '../shell/state.ts';
import { plural, tell } from '../shell/terminal.ts';

const STANDARD_OUTPUT = 'Standard output';

const INPUTS = {
  '--out <file>': text('the output file; it replaces an earlier export (default: standard output)'),
};

/** `berth export`: writes the devices in the state tables, one JSON object a line. */
export function registerExport(berth: CommandGroup): void {
  berth.command({
    name: 'export',
    description: 'write the devices in the state tables, one JSON object a line',
    inputs: INPUTS,
    example: 'berth export --out devices.jsonl',
    changes: ({ out }) => out !== undefined,
    run: exportDevices,
  });
}

/** @throws BerthError `BERTH_FILE_UNREADABLE` */
function requireReplaceable(file: string): void {
  let isOwn: boolean;
  try {
    isOwn = isReplaceable(file);
  } catch (error) {
    throw unwritable(file, error);
  }
  if (isOwn) return;
  throw new BerthError(
    'BERTH_FILE_UNREADABLE',
    `${file} exists and is not an export of devices, so it is not overwritten: choose another name.`,
  );
}

async function exportDevices({ terminal, env }: Cli, { out: file }: Given<typeof INPUTS>): Promise<number> {
  const state = openState(env);
  const out = file === undefined ? terminal.out : await openFile(file);
  let broken: Error | undefined;
  out.on('error', (error: Error) => {
    broken = error;
  });
  const progress = showCount(terminal, 'devices');
  let written = 0;
  try {
    for await (const device of knownDevices(state.twins.devices(), state.receipts.all())) {
      if (broken !== undefined) throw unwritable(file ?? STANDARD_OUTPUT, broken);
      if (!out.write(`${writeKnownDevice(device)}\n`)) await once(out, 'drain').catch(() => {});
      written += 1;
      if (written % 100 === 0) progress.show(written);
    }
  } finally {
    progress.end();
    if (out !== terminal.out) {
      out.end();
      await once(out, 'close').catch(() => {});
    }
  }
  if (broken !== undefined) throw unwritable(file ?? STANDARD_OUTPUT, broken);
  tell(
    terminal,
    `${plural(written, 'device')} from ${state.place} written${file === undefined ? '' : ` to ${file}`}.`,
  );
  return 0;
}

/** The most characters of a file that are looked at. The line of a device is shorter. */
const START_BYTES = 1024 * 1024;

/**
 * Whether the file may be replaced: it is not there, it is empty, it is a pipe or a device, or its first line is a device as an
 * earlier export wrote it.
 */
function isReplaceable(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || found.size === 0) return true;
  const [line = ''] = startOf(file).split('\n');
  return readKnownDevice(line) !== undefined;
}

function startOf(file: string): string {
  const opened = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(START_BYTES);
    return bytes.toString('utf8', 0, readSync(opened, bytes));
  } finally {
    closeSync(opened);
  }
}

/** @throws BerthError `BERTH_FILE_UNREADABLE` */
async function openFile(file: string): Promise<NodeJS.WritableStream> {
  requireReplaceable(file);
  const stream = createWriteStream(file);
  try {
    await once(stream, 'open');
    return stream;
  } catch (error) {
    throw unwritable(file, error);
  }
}
