import Table from 'cli-table3';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { printableJson } from './printable.ts';

/** The output of a command: results go to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** True if the text may have colors: both are terminals, and neither NO_COLOR nor --no-color forbids it. */
  readonly hasColors?: boolean;
}

/** Writes a line of the result. */
export function say({ out }: Terminal, line = ''): void {
  out.write(`${line}\n`);
}

/** Writes a line about the result, such as its source. */
export function tell({ err }: Terminal, line: string): void {
  err.write(`${line}\n`);
}

export function sayJson(terminal: Terminal, json: unknown): void {
  say(terminal, printableJson(JSON.stringify(json, null, 2)));
}

/** A column, aligned left unless `right` makes it. */
export type Column = string | { readonly name: string; readonly align: 'right' };

/** A column of numbers, aligned right. */
export function right(name: string): Column {
  return { name, align: 'right' };
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
} as const;

/** Writes a table without lines. */
export function sayTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const table = new Table({
    head: columns.map((column) => (typeof column === 'string' ? column : column.name)),
    colAligns: columns.map((column) => (typeof column === 'string' ? 'left' : column.align)),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => [...row]));
  for (const line of table.toString().split('\n')) say(terminal, line.trimEnd());
}

export function percent(share: number): string {
  const hundredths = share * 100;
  return `${hundredths > 0 && hundredths < 10 ? hundredths.toFixed(1) : Math.round(hundredths)} %`;
}

/** `1,234,567` */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}

/** A duration without its sign: `45 s`, `3 min`, `2 h`, `5 d`. */
export function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** `2026-11-25T18:00Z` */
export function moment(at: EpochMs): string {
  return `${new Date(at).toISOString().slice(0, 16)}Z`;
}

/** The first 12 digits of a revision, enough to distinguish two. */
export function shortRevision(revision: string): string {
  return revision.slice(0, 12);
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}
