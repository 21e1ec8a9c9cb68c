import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import type { DpsPort } from '../../dps/port.ts';
import { type ExportedEnrollments, exportEnrollments } from '../../enroll/export.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { writeNewFile } from '../shell/files.ts';
import { type Given, JSON_OUTPUT, text } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { plural, sayJson, type Terminal, tell } from '../shell/terminal.ts';

const INPUTS = {
  '--out <file>': text('write a new file in place of standard output; it overwrites nothing'),
  ...JSON_OUTPUT,
};

/** `berth enroll export`: writes the enrollments of DPS as a file, without keys. */
export function registerEnrollExport(enroll: CommandGroup): void {
  enroll.command({
    name: 'export',
    description: 'write the enrollments of DPS as an enrollments file, without keys',
    inputs: INPUTS,
    example: 'berth enroll export --out enrollments.json',
    changes: ({ out }) => out !== undefined,
    run: exportEnroll,
  });
}

async function exportEnroll({ terminal, env }: Cli, { out }: Given<typeof INPUTS>): Promise<number> {
  const dps = openDps(dpsPlace(env));
  try {
    const exported = await readEnrollments(dps);
    if (out === undefined) sayJson(terminal, exported.file);
    else writeNewFile(out, `${JSON.stringify(exported.file, null, 2)}\n`);
    tellNotes(terminal, exported);
    return 0;
  } finally {
    await dps.close();
  }
}

/** The enrollments of a DPS as a file. */
export async function readEnrollments(dps: DpsPort): Promise<ExportedEnrollments> {
  return exportEnrollments([...(await dps.list('group')), ...(await dps.list('individual'))]);
}

/** Tells what must be added to the file or its surroundings. */
export function tellNotes(terminal: Terminal, { file, notes }: ExportedEnrollments): void {
  const count = [file.groups, file.individuals].flat().filter((each) => each !== undefined).length;
  tell(terminal, `${plural(count, 'enrollment')} of DPS.`);
  for (const { path, message } of notes) tell(terminal, `${printable(path)} ${printable(message)}.`);
}
