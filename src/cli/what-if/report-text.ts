import { printable } from '../shell/printable.ts';
import {
  type Column,
  count,
  percent,
  say,
  sayTable,
  shortRevision,
  type Terminal,
} from '../shell/terminal.ts';

// The parts that both reports of `berth what-if` share.

/** `5 twins planned with revision 1234567890ab, compared with old.json` */
export function headline(what: string, revision: string, compared: string): string {
  return `${what} with revision ${shortRevision(revision)}, compared with ${compared}`;
}

/** Writes an empty line, the title if there is one, and a table. */
export function saySection(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  title?: string,
): void {
  say(terminal);
  if (title !== undefined) say(terminal, title);
  sayTable(terminal, columns, rows);
}

/** Writes the warnings at the end of a report. */
export function sayWarnings(terminal: Terminal, warnings: readonly string[]): void {
  if (warnings.length > 0) say(terminal);
  for (const warning of warnings) say(terminal, `Warning: ${printable(warning)}.`);
}

/** `1,234 (12 %)` */
export function amount(number: number, of: number): string {
  return of === 0 ? count(number) : `${count(number)} (${percent(number / of)})`;
}
