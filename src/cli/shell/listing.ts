import { setTimeout } from 'node:timers/promises';
import type { Cli } from './cli.ts';
import { toggle, wholeNumber } from './inputs.ts';
import { printableJson } from './printable.ts';
import { type Column, count, say, sayJson, sayTable, type Terminal, tell } from './terminal.ts';

/** How often `--watch` reads again. */
const EVERY_MS = 2_000;
const DEFAULT_LIMIT = 50;
/** Moves the cursor to the top left corner and clears the screen (ECMA-48). */
const CLEAR = '\u001b[H\u001b[2J';

/** The options that every list has. */
export const LIST_INPUTS = {
  '--limit <n>': wholeNumber(1, `the most entries to show (default: ${DEFAULT_LIMIT})`),
  '--watch': toggle('read again every two seconds until Ctrl-C; on a pipe, print changes only'),
  '--json': toggle('output JSON; with --watch one object a line for each change'),
};

/** One entry of a list. */
export interface ListingRow {
  /** Identifies the entry while its contents change. */
  readonly key: string;
  readonly cells: readonly string[];
  /** What `--watch` compares and prints as JSON. It has no ages, which change all the time. */
  readonly item: object;
}

/** A list as it is now. */
export interface Listing {
  /** Where it comes from, for the error output. */
  readonly about: string;
  readonly columns: readonly Column[];
  readonly rows: readonly ListingRow[];
  /** True if there are more entries than the rows. */
  readonly more?: boolean;
  /** For an empty list. */
  readonly none: string;
  /** Sentences below the rows. */
  readonly notes?: readonly string[];
  /** The whole list for programs. */
  readonly json: object;
}

/** What `berth get` was asked for. */
export interface ListOptions {
  readonly limit: number | undefined;
  readonly watch: boolean;
  readonly json: boolean;
}

/** Shows a list once, or again and again with `--watch`. Returns the exit code. */
export async function showListing(
  cli: Cli,
  { limit = DEFAULT_LIMIT, watch, json }: ListOptions,
  read: (limit: number) => Promise<Listing>,
): Promise<number> {
  if (watch) return watchListing(cli, json, () => read(limit));
  const listing = await read(limit);
  tell(cli.terminal, listing.about);
  if (json) sayJson(cli.terminal, listing.json);
  else sayListing(cli.terminal, listing);
  if (listing.more === true) tell(cli.terminal, `Only the first ${count(limit)} are shown: use --limit.`);
  return 0;
}

function sayListing(terminal: Terminal, { columns, rows, none, notes = [] }: Listing): void {
  if (rows.length === 0) say(terminal, none);
  else
    sayTable(
      terminal,
      columns,
      rows.map(({ cells }) => cells),
    );
  for (const note of notes) say(terminal, note);
}

async function watchListing(cli: Cli, json: boolean, read: () => Promise<Listing>): Promise<number> {
  const { terminal } = cli;
  const ending = cli.ending ?? interrupted();
  const wait = cli.wait ?? ((ms: number) => setTimeout(ms, undefined, { signal: ending }).catch(() => {}));
  const isScreen = terminal.out.isTTY === true && !json;
  let before: readonly ListingRow[] = [];
  for (let round = 0; !ending.aborted; round += 1) {
    const listing = await read();
    if (isScreen) {
      terminal.out.write(CLEAR);
      say(terminal, `${listing.about} Every ${EVERY_MS / 1_000} s; Ctrl-C ends it.`);
      sayListing(terminal, listing);
    } else {
      if (round === 0) tell(terminal, listing.about);
      const at = new Date(cli.now()).toISOString();
      for (const change of changesBetween(before, listing.rows)) sayChange(terminal, at, change, json);
      before = listing.rows;
    }
    await wait(EVERY_MS);
  }
  return 0;
}

/** Aborts at Ctrl-C. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}

/** One difference between two readings of a list. */
export interface Change {
  readonly change: 'added' | 'changed' | 'removed';
  readonly row: ListingRow;
}

export function changesBetween(
  before: readonly ListingRow[],
  after: readonly ListingRow[],
): readonly Change[] {
  const known = new Map(before.map((row) => [row.key, row]));
  const kept = new Set(after.map(({ key }) => key));
  return [
    ...after.flatMap((row): readonly Change[] => {
      const old = known.get(row.key);
      if (old === undefined) return [{ change: 'added', row }];
      return JSON.stringify(old.item) === JSON.stringify(row.item) ? [] : [{ change: 'changed', row }];
    }),
    ...before.filter(({ key }) => !kept.has(key)).map((row) => ({ change: 'removed' as const, row })),
  ];
}

function sayChange(terminal: Terminal, at: string, { change, row }: Change, json: boolean): void {
  say(
    terminal,
    json
      ? printableJson(JSON.stringify({ at, change, item: row.item }))
      : [at, change.padEnd('changed'.length), ...row.cells].join('  ').trimEnd(),
  );
}
