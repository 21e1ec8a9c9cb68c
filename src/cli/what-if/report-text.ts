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

/** What both reports of `berth what-if`, of placement and of twins, say in the same way. */

/** `5 twins planned under revision 1234567890ab, against old.json` */
export function headline(what: string, revision: string, compared: string): string {
  return `${what} under revision ${shortRevision(revision)}, against ${compared}`;
}

/** A table below an empty line and a title, if it has one. */
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

/** At the end of a report. */
export function sayWarnings(terminal: Terminal, warnings: readonly string[]): void {
  if (warnings.length > 0) say(terminal);
  for (const warning of warnings) say(terminal, `Warning: ${printable(warning)}.`);
}

/** `1,234 (12 %)` */
export function amount(number: number, of: number): string {
  return of === 0 ? count(number) : `${count(number)} (${percent(number / of)})`;
}
