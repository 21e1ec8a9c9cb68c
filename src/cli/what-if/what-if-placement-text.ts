import { hoursText, type Report } from '../../what-if/report.ts';
import { count, percent, plural, say, sayTable, type Terminal } from '../shell/terminal.ts';

const RIGHT = 'right' as const;
const MOST_GROUPS = 20;

/** What a fleet file would do, for people. */
export function sayReport(terminal: Terminal, report: Report, compared: string): void {
  const { devices, hubs, moves, refused, rules, warnings } = report;
  say(
    terminal,
    `${plural(devices, 'device')} under revision ${report.revision.slice(0, 12)}, against ${compared}`,
  );
  say(terminal);
  sayTable(
    terminal,
    [
      { name: 'hub' },
      { name: 'weight', align: RIGHT },
      { name: 'wanted', align: RIGHT },
      { name: 'now', align: RIGHT },
      { name: 'then', align: RIGHT },
      { name: 'if all were new', align: RIGHT },
      { name: 'operations', align: RIGHT },
      { name: 'hours at its limit', align: RIGHT },
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
    say(terminal);
    sayTable(
      terminal,
      [{ name: 'rule' }, { name: 'matches', align: RIGHT }, { name: 'unknown', align: RIGHT }],
      rules.map(({ name, matched, unknown }) => [name, amount(matched, devices), amount(unknown, devices)]),
    );
  }
  if (warnings.length > 0) say(terminal);
  for (const warning of warnings) say(terminal, `Warning: ${warning}.`);
}

function sayMoves(terminal: Terminal, moves: Report['moves'], devices: number): void {
  say(terminal);
  if (moves.count === 0) {
    say(terminal, 'No device would go elsewhere.');
    return;
  }
  const { count: moved, atOnce } = moves;
  say(
    terminal,
    `${amount(moved, devices)} would go elsewhere when they register again: ${spreading(moved, atOnce, moves.overHours)}. That takes at least ${hoursText(moves.hours)} at the limit of ${moves.slowest}.`,
  );
  sayTable(
    terminal,
    [
      { name: 'devices', align: RIGHT },
      { name: 'from' },
      { name: 'to' },
      { name: 'because' },
      { name: 'such as' },
    ],
    moves.groups
      .slice(0, MOST_GROUPS)
      .map(({ count: number, from, to, why, examples }) => [
        count(number),
        from,
        to,
        why,
        examples.slice(0, 2).join(', '),
      ]),
  );
  sayMore(terminal, moves.groups.length);
}

function spreading(moved: number, atOnce: number, overHours: number): string {
  const spread = overHours === 0 ? 'as soon as they do' : `spread over ${hoursText(overHours)}`;
  if (atOnce === 0) return spread;
  return atOnce === moved
    ? 'as soon as they do'
    : `${count(moved - atOnce)} ${spread}, ${count(atOnce)} as soon as they do`;
}

function sayRefused(terminal: Terminal, refused: Report['refused']): void {
  if (refused.asBefore > 0) {
    say(terminal);
    say(terminal, `${plural(refused.asBefore, 'device')} would be refused, as before.`);
  }
  if (refused.count === 0) return;
  say(terminal);
  say(terminal, `${plural(refused.count, 'device')} could not be placed any more:`);
  sayTable(
    terminal,
    [{ name: 'devices', align: RIGHT }, { name: 'code' }, { name: 'because' }, { name: 'such as' }],
    refused.groups
      .slice(0, MOST_GROUPS)
      .map(({ count: number, code, message, examples }) => [
        count(number),
        code,
        message,
        examples.slice(0, 2).join(', '),
      ]),
  );
  sayMore(terminal, refused.groups.length);
}

function sayMore(terminal: Terminal, groups: number): void {
  if (groups > MOST_GROUPS) say(terminal, `and ${groups - MOST_GROUPS} more kinds; --json has all`);
}

function amount(number: number, of: number): string {
  return of === 0 ? count(number) : `${count(number)} (${percent(number / of)})`;
}
