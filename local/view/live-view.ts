import type { ProcessStatus } from '../control-api/index.ts';
import { type PolicyLine, policyLines } from './policy-lines.ts';
import { duration, percentText, pluralText, table } from './text.ts';
import { type ShownTrouble, troubleLines } from './trouble-lines.ts';

/** One hub, as the live view shows it. */
export interface HubLine {
  readonly host: string;
  readonly state: string;
  readonly weight: number;
  /** Part of the devices that Berth wants here. */
  readonly wanted: number;
  readonly devices: number;
  readonly connected: number;
  /** Calls of the service side since the start. */
  readonly twinReads: number;
  readonly twinWrites: number;
}

/** Everything that the live view shows. */
export interface LiveModel {
  readonly upMs: number;
  readonly devices: number;
  readonly hubs: readonly HubLine[];
  /** Twins by state and when they were counted; undefined before the first count. */
  readonly twins: { readonly states: Readonly<Record<string, number>>; readonly agoMs: number } | undefined;
  readonly corrections: number;
  /** Reported changes that devices have made since the start. */
  readonly changes: number;
  /** Service-side reads, writes and queries since the start. */
  readonly hubOps: number;
  readonly unread: number | undefined;
  readonly policies: readonly PolicyLine[];
  readonly trouble: ShownTrouble;
  /** The last things that happened, the newest last. */
  readonly happenings: readonly string[];
  readonly functionsUrl: string;
  readonly controlUrl: string;
  readonly functionKey: string;
  readonly processes: readonly ProcessStatus[];
}

const STATE_WORDS: Readonly<Record<string, string>> = { inSync: 'in sync' };

/** The live view as lines of text. What has nothing to say is left out. */
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
    ...model.happenings,
    ...(model.happenings.length === 0 ? [] : ['']),
    `fleet    curl -H 'x-functions-key: ${model.functionKey}' ${model.functionsUrl}/api/fleet`,
    `hubs     curl ${model.controlUrl}/hubs`,
    'Ctrl-C ends everything.',
  ];
}

function down(processes: LiveModel['processes']): string {
  return processes
    .filter(({ running }) => !running)
    .map(({ name }) => `; ${name === 'azurite' ? 'Azurite' : `the ${name}`} is down and starts again`)
    .join('');
}

/** The processes that have ended by themselves and were started again. */
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
  const perChange = changes === 0 ? '' : `, ${(hubOps / changes).toFixed(2)} hub operations a change`;
  return `${pluralText(corrections, 'correction')} for ${pluralText(changes, 'reported change')}${perChange}`;
}
