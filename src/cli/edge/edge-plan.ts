import type { Control } from '../../control/control.ts';
import { type ApplyCause, decideEdge, type EdgeDecision } from '../../edge/edge-decision.ts';
import { type ManifestDiff, touchedModules } from '../../edge/manifest-diff.ts';
import type { ManifestProblem } from '../../edge/manifest-for.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { RESYNC_PART, ratePerSecond } from '../../hub/budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { ownEntry } from '../../json/json.ts';
import { edgeDevicesOf, type StoredEdgeDevice } from '../../overview/edge-devices.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { chosenFleetFile, readFleetFile } from '../shell/files.ts';
import { FLEET_FILE, type Given, JSON_OUTPUT, text, wholeNumber } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { openState, redactionIn, type State } from '../shell/state.ts';
import { count, plural, say, sayJson, shortRevision, span, type Terminal, tell } from '../shell/terminal.ts';
import { diffLines } from './diff-text.ts';
import { chosenHosts, namedDevice } from './edge-selection.ts';

const DEFAULT_LIMIT = 50;

const INPUTS = {
  '[device]': text('plan this device only'),
  '--fleet <file>': FLEET_FILE,
  '--hub <host>': text('plan the devices of this hub only'),
  '--limit <n>': wholeNumber(1, `the most devices whose changes are shown (default: ${DEFAULT_LIMIT})`),
  ...JSON_OUTPUT,
};

/** `berth edge plan`: what a fleet file would change on IoT Edge devices. Calls no hub and writes nothing. */
export function registerEdgePlan(edge: CommandGroup): void {
  edge.command({
    name: 'plan',
    description:
      'show what a fleet file would change on each IoT Edge device, its cost and how long it takes',
    inputs: INPUTS,
    example: 'berth edge plan --fleet new-fleet.json',
    changes: false,
    run: planEdge,
  });
}

/** What would happen to one device. */
interface PlannedDevice {
  readonly deviceId: string;
  readonly hub: HostName;
  readonly action: EdgeDecision['kind'];
  readonly cause: ApplyCause | null;
  readonly why: string;
  readonly deployments: readonly string[];
  /** Operations that the device makes on the identity registry of its hub. */
  readonly identityOperations: number;
  readonly diff: ManifestDiff | null;
  readonly problems: readonly ManifestProblem[];
}

interface HubCost {
  readonly hub: HostName;
  readonly applies: number;
  readonly identityOperations: number;
  /** By the budget that Berth has for this hub, seconds. */
  readonly seconds: number;
}

async function planEdge(
  { terminal, env, now }: Cli,
  { device, fleet: file, hub, limit = DEFAULT_LIMIT, json }: Given<typeof INPUTS>,
): Promise<number> {
  const { fleet } = readFleetFile(chosenFleetFile(file, env));
  const state = openState(env);
  const hosts = chosenHosts(fleet, hub, env);
  const redaction = await redactionIn(state, fleet);
  const planned: PlannedDevice[] = [];
  for await (const stored of devicesFor(state, hosts, device, redaction)) {
    planned.push(plannedDevice(stored, fleet, redaction, now()));
  }
  const costs = costOf(planned, fleet);
  const ended = endedDeployments(fleet, await state.control.read());
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  tell(
    terminal,
    'The values of settings are not known here, so a rotated credential is not shown. Everything else is compared.',
  );
  if (json) {
    const { revision } = fleet;
    sayJson(terminal, { revision, comparesSettings: false, devices: planned, costs, ended });
    return 0;
  }
  sayPlan(terminal, planned, costs, limit);
  for (const { deployment, end } of ended) {
    const how = end === 'aborted' ? 'aborted' : 'rolled back';
    say(
      terminal,
      `The rollout of this content of ${deployment} was ${how}, so Berth gives it to no further device. Change the deployment.`,
    );
  }
  return 0;
}

/** The deployments whose content in this file no device gets any more. */
function endedDeployments({ edge }: Fleet, { rollouts }: Control) {
  return (edge?.deployments ?? []).flatMap(({ name, hash }) => {
    const end = ownEntry(rollouts, hash)?.end;
    return end === undefined ? [] : [{ deployment: name, end: end.kind }];
  });
}

async function* devicesFor(
  state: State,
  hosts: readonly HostName[],
  device: string | undefined,
  redaction: Redaction,
): AsyncGenerator<StoredEdgeDevice> {
  if (device === undefined) yield* edgeDevicesOf(state.twins, hosts, redaction);
  else yield await namedDevice(state, hosts, device, redaction);
}

function plannedDevice(
  { host, deviceId, device, agent, hub }: StoredEdgeDevice,
  fleet: Fleet,
  redaction: Redaction,
  now: EpochMs,
): PlannedDevice {
  const of = {
    deviceId,
    hub: host,
    cause: null,
    identityOperations: 0,
    diff: null,
    deployments: [],
    problems: [],
  };
  if (device === undefined) return { ...of, action: 'none', why: 'its device twin is not stored' };
  const decision = decideEdge({ device, agent, hub, fleet, settings: undefined, redaction, now });
  const { deployments, problems } = aboutManifest(decision);
  switch (decision.kind) {
    case 'none':
    case 'read':
      return { ...of, action: decision.kind, why: decision.why, deployments, problems };
    case 'stopped':
      return { ...of, action: 'stopped', why: 'a problem stops its manifest', deployments, problems };
    case 'contested':
      return { ...of, action: 'contested', why: decision.why, deployments, problems, diff: decision.diff };
    case 'inPlace':
      return { ...of, action: 'inPlace', why: '', deployments, problems };
    case 'apply': {
      const { cause, why, diff } = decision;
      const identityOperations = 2 * touchedModules(diff).length;
      return { ...of, action: 'apply', cause, why, deployments, problems, diff, identityOperations };
    }
  }
}

function aboutManifest(decision: EdgeDecision): Pick<PlannedDevice, 'deployments' | 'problems'> {
  const manifest = decision.kind === 'read' ? undefined : decision.manifest;
  const problems = decision.kind === 'stopped' ? decision.problems : (manifest?.problems ?? []);
  return { deployments: manifest?.provenance.deployments ?? [], problems };
}

/** How long the applies of each hub take. Work of a new fleet file has the budget of `resyncFleet`. */
function costOf(planned: readonly PlannedDevice[], { hubByHost }: Fleet): readonly HubCost[] {
  return [...hubByHost.values()].flatMap((hub) => {
    const own = planned.filter(({ hub: host, action }) => host === hub.host && action === 'apply');
    if (own.length === 0) return [];
    const identityOperations = own.reduce((sum, device) => sum + device.identityOperations, 0);
    const seconds = Math.max(
      own.length / ratePerSecond(hub, 'apply', RESYNC_PART),
      identityOperations / ratePerSecond(hub, 'identity', RESYNC_PART),
    );
    return [{ hub: hub.host, applies: own.length, identityOperations, seconds: Math.ceil(seconds) }];
  });
}

const ACTION_TEXT: Readonly<Record<EdgeDecision['kind'], string>> = {
  apply: 'get a manifest',
  inPlace: 'have it already',
  contested: 'contested',
  stopped: 'stopped by a problem',
  read: 'must be read first',
  none: 'left alone',
};

function sayPlan(
  terminal: Terminal,
  planned: readonly PlannedDevice[],
  costs: readonly HubCost[],
  limit: number,
): void {
  const shown = planned.filter(({ action, problems }) => action !== 'inPlace' || problems.length > 0);
  for (const device of shown.slice(0, limit)) sayDevice(terminal, device);
  if (shown.length > limit) say(terminal, `and ${count(shown.length - limit)} more: use --limit or --json`);
  const kinds = Object.keys(ACTION_TEXT) as EdgeDecision['kind'][];
  const parts = kinds.flatMap((kind) => {
    const number = planned.filter(({ action }) => action === kind).length;
    return number === 0 ? [] : [`${count(number)} ${ACTION_TEXT[kind]}`];
  });
  say(
    terminal,
    `${plural(planned.length, 'IoT Edge device')}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}.`,
  );
  for (const { hub, applies, identityOperations, seconds } of costs) {
    say(
      terminal,
      `${hub}: ${plural(applies, 'apply', 'applies')}, ${plural(identityOperations, 'identity operation')}, about ${span(seconds * 1_000)} by Berth's budget.`,
    );
  }
}

function sayDevice(
  terminal: Terminal,
  { deviceId, hub, action, why, diff, problems, identityOperations }: PlannedDevice,
): void {
  const cost = action === 'apply' ? ` (${plural(identityOperations, 'identity operation')})` : '';
  const reason = why === '' ? '' : `: ${printable(why)}`;
  say(terminal, `${printable(deviceId)} on ${hub}: ${action}${reason}${cost}`);
  for (const line of diff === null ? [] : diffLines(diff)) say(terminal, `  ${line}`);
  for (const { code, path, message } of problems)
    say(terminal, `  ${code}: ${printable(`${path} ${message}`)}`);
}
