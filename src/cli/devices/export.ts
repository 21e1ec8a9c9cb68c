import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { writeKnownDevice } from '../../what-if/known-device.ts';
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
  '--out <file>': text('the output file (default: standard output)'),
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

/** @throws BerthError `BERTH_FILE_UNREADABLE` */
async function openFile(file: string): Promise<NodeJS.WritableStream> {
  const stream = createWriteStream(file);
  try {
    await once(stream, 'open');
    return stream;
  } catch (error) {
    throw unwritable(file, error);
  }
}
