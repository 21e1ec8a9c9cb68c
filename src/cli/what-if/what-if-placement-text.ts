import { hoursText, type PlacementReport } from '../../what-if/report.ts';
import { type Column, count, percent, plural, right, say, type Terminal } from '../shell/terminal.ts';
import { amount, headline, saySection, sayWarnings } from './report-text.ts';

const MOST_GROUPS = 20;

/** Writes the report on placement as text. */
export function sayReport(terminal: Terminal, report: PlacementReport, compared: string): void {
  const { devices, hubs, moves, refused, rules, warnings } = report;
  say(terminal, headline(plural(devices, 'device'), report.revision, compared));
  saySection(
    terminal,
    [
      'hub',
      right('weight'),
      right('wanted'),
      right('now'),
      right('after'),
      right('if all were new'),
      right('operations'),
      right('hours at its limit'),
    ],
    hubs.map((hub) => [
      hub.host,
      hub.weight === undefined ? 'not in the file' : String(hub.weight),
      hub.wanted === undefined ? '-' : percent(hub.wanted),
      amount(hub.before, devices),
      amount(hub.after, devices),
      amount(hub.fresh, devices),
      count(hub.operations),
      hub.hours === undefined ? '-' : hub.hours.toFixed(1),
    ]),
  );
  sayMoves(terminal, moves, devices);
  sayRefused(terminal, refused);
  if (rules.length > 0) {
    saySection(
      terminal,
      ['rule', right('matches'), right('unknown')],
      rules.map(({ name, matched, unknown }) => [name, amount(matched, devices), amount(unknown, devices)]),
    );
  }
  sayWarnings(terminal, warnings);
}

function sayMoves(terminal: Terminal, moves: PlacementReport['moves'], devices: number): void {
  const { count: moved, atOnce, overHours, hours, slowest, groups } = moves;
  if (moved === 0) {
    say(terminal);
    say(terminal, 'No device would move.');
    return;
  }
  sayGroups(
    terminal,
    `${amount(moved, devices)} would move when they register again: ${spreading(moved, atOnce, overHours)}. That takes at least ${hoursText(hours)} at the limit of ${slowest}.`,
    ['from', 'to', 'reason'],
    groups,
    ({ from, to, why }) => [from, to, why],
  );
}

function spreading(moved: number, atOnce: number, overHours: number): string {
  const spread = overHours === 0 ? 'immediately' : `spread over ${hoursText(overHours)}`;
  if (atOnce === 0) return spread;
  return atOnce === moved
    ? 'immediately'
    : `${count(moved - atOnce)} ${spread}, ${count(atOnce)} immediately`;
}

function sayRefused(terminal: Terminal, refused: PlacementReport['refused']): void {
  if (refused.asBefore > 0) {
    say(terminal);
    say(terminal, `${plural(refused.asBefore, 'device')} would be refused, as before.`);
  }
  if (refused.count === 0) return;
  sayGroups(
    terminal,
    `${plural(refused.count, 'device')} would no longer get a hub:`,
    ['code', 'reason'],
    refused.groups,
    ({ code, message }) => [code, message],
  );
}

/** Writes a table of groups: the number of devices, what they have in common, and two examples. */
function sayGroups<Group extends { readonly count: number; readonly examples: readonly string[] }>(
  terminal: Terminal,
  title: string,
  columns: readonly Column[],
  groups: readonly Group[],
  cellsOf: (group: Group) => readonly string[],
): void {
  saySection(
    terminal,
    [right('devices'), ...columns, 'examples'],
    groups
      .slice(0, MOST_GROUPS)
      .map((group) => [count(group.count), ...cellsOf(group), group.examples.slice(0, 2).join(', ')]),
    title,
  );
  const more = groups.length - MOST_GROUPS;
  if (more > 0) say(terminal, `and ${more} more groups; --json shows all`);
}
