import { parseEnrollments } from '../../enroll/parse.ts';
import type { Cli } from '../shell/cli.ts';
import { readText } from '../shell/files.ts';
import { plural, say } from '../shell/terminal.ts';

/**
 * `berth enroll validate`: every problem of an enrollments file. Needs neither DPS nor the keys and certificates that
 * the file names, so that CI can ask.
 */
export async function validateEnrollments({ terminal }: Cli, file: string): Promise<number> {
  const parsed = parseEnrollments(readText(file));
  if (parsed.ok) {
    const { groups, individuals } = parsed.file;
    const what = `${plural(groups.length, 'group')}, ${plural(individuals.length, 'individual enrollment')}`;
    say(terminal, `${file} is valid: ${what}.`);
    return 0;
  }
  for (const { path, message } of parsed.problems) say(terminal, `problem  ${path || 'The file'} ${message}`);
  say(terminal, `${file} is not valid: ${plural(parsed.problems.length, 'problem')}.`);
  return 1;
}
