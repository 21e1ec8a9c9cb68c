import { bold } from '../shell/colors.ts';
import { indented } from '../shell/json-mode.ts';
import { say, type Terminal } from '../shell/terminal.ts';

/** A name and a value; a fact without a value is left out. */
export type Fact = readonly [name: string, value: string | undefined];

/** Writes names and values below each other. */
export function sayFacts(terminal: Terminal, facts: readonly Fact[]): void {
  const known = facts.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...known.map(([name]) => name.length)) + 2;
  for (const [name, value = ''] of known) {
    say(terminal, `  ${name.padEnd(width)}${indented(value, width + 2)}`);
  }
}

/** Writes the title of a section, with an empty line before it. */
export function sayTitle(terminal: Terminal, title: string): void {
  say(terminal);
  say(terminal, bold(terminal, title));
}

/** The beginning of a JSON value. */
export function shortJson(value: unknown, most = 60): string {
  const text = JSON.stringify(value) ?? '-';
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
