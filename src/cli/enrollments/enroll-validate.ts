import { parseEnrollments } from '../../enroll/parse.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { readTextFile } from '../shell/files.ts';
import { type Given, textOr } from '../shell/inputs.ts';
import { indented } from '../shell/json-mode.ts';
import { plural, say } from '../shell/terminal.ts';
import { ENROLLMENTS_FILE } from './enrollments-file.ts';

const INPUTS = {
  '[file]': textOr(ENROLLMENTS_FILE, 'the enrollments file'),
};

/**
 * `berth enroll validate`: lists every problem of an enrollments file. It needs neither DPS nor the keys and
 * certificates that the file names, so CI can run it.
 */
export function registerEnrollValidate(enroll: CommandGroup): void {
  enroll.command({
    name: 'validate',
    description: 'check an enrollments file and list every problem; needs neither DPS nor keys',
    inputs: INPUTS,
    example: 'berth enroll validate enrollments.json',
    changes: false,
    run: validateEnrollments,
  });
}

async function validateEnrollments({ terminal }: Cli, { file }: Given<typeof INPUTS>): Promise<number> {
  const parsed = parseEnrollments(readTextFile(file));
  if (parsed.ok) {
    const { groups, individuals } = parsed.file;
    const what = `${plural(groups.length, 'group')}, ${plural(individuals.length, 'individual enrollment')}`;
    say(terminal, `${file} is valid: ${what}.`);
    return 0;
  }
  for (const { path, message } of parsed.problems)
    say(terminal, `problem  ${path || 'The file'} ${indented(message, 9)}`);
  say(terminal, `${file} is not valid: ${plural(parsed.problems.length, 'problem')}.`);
  return 1;
}
