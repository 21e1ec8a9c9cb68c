import type { ProcessStatus } from '../control-api/index.ts';
import { type PolicyLine, policyLines } from './policy-lines.ts';
import { duration, percentText, pluralText, table } from './text.ts';
import { type ShownTrouble, troubleLines } from './trouble-lines.ts';

/** One hub in the live view. */
export interface HubLine {
  readonly host: string;
  readonly state: string;
  readonly weight: number;
  /** Share of the devices that Berth wants on this hub, from 0 to 1. */
  readonly wanted: number;
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
  readonly unread: number | undefined;
  readonly policies: readonly PolicyLine[];
  readonly trouble: ShownTrouble;
  /** The latest messages of devices, the newest last. */
  readonly latest: readonly string[];
  readonly functionsUrl: string;
  readonly controlUrl: string;
  readonly functionKey: string;
  readonly processes: readonly ProcessStatus[];
}

const STATE_WORDS: Readonly<Record<string, string>> = { inSync: 'in sync' };

/** The live view as lines of text, without empty sections. */
export function renderLive(model: LiveModel): readonly string[] {
  const policies = policyLines(model.policies);
  const placed = model.hubs.reduce((sum, hub) => sum + hub.devices, 0);
  const hubs = table([
    ['hub', 'state', 'weight', 'wanted', 'actual', 'devices', 'online', 'twin reads', 'twin writes'],
    ...model.hubs.map((hub) => [
      hub.host,
      hub.state,
      String(hub.weight),
      percentText(hub.wanted),
      placed === 0 ? '-' : percentText(hub.devices / placed),
      String(hub.devices),
      String(hub.connected),
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
    `events   ${model.unread === undefined ? 'not known yet' : `${model.unread} unread`}`,
    ...restarts(model.processes),
    ...troubleLines(model.trouble),
    '',
    ...policies,
    ...(policies.length === 0 ? [] : ['']),
    ...model.latest,
    ...(model.latest.length === 0 ? [] : ['']),
    `console  ${model.controlUrl}/`,
    `fleet    curl -H 'x-functions-key: ${model.functionKey}' ${model.functionsUrl}/api/fleet`,
    `hubs     curl ${model.controlUrl}/hubs`,
    'Press Ctrl-C to stop the local stack.',
  ];
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
  const perChange = changes === 0 ? '' : `, ${(hubOps / changes).toFixed(2)} hub operations per change`;
  return `${pluralText(corrections, 'correction')} for ${pluralText(changes, 'reported change')}${perChange}`;
}
