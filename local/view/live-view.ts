import type { ProcessStatus } from '../control-api/index.ts';
import { type PolicyLine, policyLines } from './policy-lines.ts';
import { duration, percentText, pluralText, table } from './text.ts';
import { type ShownTrouble, troubleLines } from './trouble-lines.ts';

/** One hub in the live view. */
export interface HubLine {
  /** The short name. */
  readonly name: string;
  readonly state: string;
  /** Share of the devices by the weights, from 0 to 1. */
  readonly wanted: number;
  /**
   * Share of the devices by weights, latencies and rules, and one standard deviation of the actual share; undefined:
   * not known.
   */
  readonly expected: { readonly share: number; readonly spread: number } | undefined;
  readonly devices: number;
  readonly connected: number;
  /** Calls of services since the start. */
  readonly twinReads: number;
  readonly twinWrites: number;
}

/** The data of the live view. */
export interface LiveModel {
  readonly upMs: number;
  readonly devices: number;
  readonly hubs: readonly HubLine[];
  /** Twins by state and when they were counted; undefined before the first count. */
  readonly twins: { readonly states: Readonly<Record<string, number>>; readonly agoMs: number } | undefined;
  readonly corrections: number;
  /** Reported changes of devices since the start. */
  readonly changes: number;
  /** Reads, writes and queries of services since the start. */
  readonly hubOps: number;
  /** Telemetry messages of devices since the start, and now. */
  readonly telemetry: { readonly messages: number; readonly perSecond: number };
  readonly unread: number | undefined;
  readonly policies: readonly PolicyLine[];
  readonly trouble: ShownTrouble;
  /** Why the last devices that registered are on their hubs, the newest last. */
  readonly placements: readonly string[];
  /** The latest other messages, the newest last. */
  readonly latest: readonly string[];
  readonly processes: readonly ProcessStatus[];
  /** The last lines: what the user can do. */
  readonly footer: readonly string[];
}

const STATE_WORDS: Readonly<Record<string, string>> = { inSync: 'in sync' };

/**
 * The live view as lines of text, without empty sections.
 *
 * @param rows the height of the terminal. If it is too low, the oldest messages are left out. Default: no limit
 */
export function renderLive(model: LiveModel, rows = Number.POSITIVE_INFINITY): readonly string[] {
  const { placements, latest } = model;
  const without = linesOf({ ...model, placements: [], latest: [] }).length;
  // The cursor is below the last line, and an empty line follows the messages.
  const room = Math.max(0, rows - without - 2);
  const forPlacements = Math.max(Math.ceil(room / 2), room - latest.length);
  const shown = newest(placements, forPlacements);
  return linesOf({ ...model, placements: shown, latest: newest(latest, room - shown.length) });
}

function newest(lines: readonly string[], room: number): readonly string[] {
  return lines.slice(Math.max(0, lines.length - room));
}

function linesOf(model: LiveModel): readonly string[] {
  const policies = policyLines(model.policies);
  const placed = model.hubs.reduce((sum, hub) => sum + hub.devices, 0);
  const hubs = table([
    ['hub', 'state', 'wanted', 'expected', 'actual', 'online', 'reads', 'writes'],
    ...model.hubs.map((hub) => [
      hub.name,
      hub.state,
      percentText(hub.wanted),
      expectedText(hub.expected),
      placed === 0 ? '-' : percentText(hub.devices / placed),
      `${hub.connected} of ${hub.devices}`,
      String(hub.twinReads),
      String(hub.twinWrites),
    ]),
  ]);
  return [
    `Berth, locally: ${pluralText(model.devices, 'simulated device')}, up ${duration(model.upMs)}${down(model.processes)}`,
    '',
    ...hubs,
    '',
    `twins    ${twins(model.twins)}`,
    `cost     ${cost(model)}`,
    `sent     ${pluralText(model.telemetry.messages, 'telemetry message')}, ${model.telemetry.perSecond.toFixed(1)} a second`,
    `events   ${model.unread === undefined ? 'not known yet' : `${model.unread} unread`}`,
    ...restarts(model.processes),
    ...troubleLines(model.trouble),
    '',
    ...policies,
    ...(policies.length === 0 ? [] : ['']),
    ...model.placements,
    ...model.latest,
    ...(model.placements.length + model.latest.length === 0 ? [] : ['']),
    ...model.footer,
  ];
}

/** `33 ± 11 %` */
function expectedText(expected: HubLine['expected']): string {
  if (expected === undefined) return '-';
  const { share, spread } = expected;
  return `${Math.round(share * 100)} ± ${Math.round(spread * 100)} %`;
}

function down(processes: LiveModel['processes']): string {
  return processes
    .filter(({ running }) => !running)
    .map(({ name }) => `; ${name === 'azurite' ? 'Azurite' : `the ${name}`} is down and restarts`)
    .join('');
}

/** The processes that restarted after an unexpected end. */
function restarts(processes: LiveModel['processes']): readonly string[] {
  const again = processes.filter((each) => each.restarts > 0);
  const text = again.map((each) => `${each.name} ${pluralText(each.restarts, 'time')}`).join(', ');
  return again.length === 0 ? [] : [`restarts ${text}`];
}

function twins(counted: LiveModel['twins']): string {
  if (counted === undefined) return 'not counted yet';
  const states = Object.entries(counted.states).filter(([, count]) => count > 0);
  const text = states.map(([state, count]) => `${count} ${STATE_WORDS[state] ?? state}`).join(', ');
  return `${text || 'none'} (counted ${duration(counted.agoMs)} ago)`;
}

function cost({ corrections, changes, hubOps }: LiveModel): string {
  const perChange = changes === 0 ? '' : `, ${(hubOps / changes).toFixed(2)} hub operations each`;
  return `${pluralText(corrections, 'correction')} for ${pluralText(changes, 'reported change')}${perChange}`;
}
