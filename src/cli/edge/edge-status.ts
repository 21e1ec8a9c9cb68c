import { manifestFor } from '../../edge/manifest-for.ts';
import { type EdgeModuleState, moduleStates } from '../../edge/reported-modules.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { edgeDevicesOf, type StoredEdgeDevice } from '../../overview/edge-devices.ts';
import { type EdgeContents, edgeContents, edgeRollouts } from '../../sync/reconcile/edge/edge-contents.ts';
import { type Gate, gateOf } from '../../sync/reconcile/write-gate.ts';
import { isoTime } from '../../time/iso-time.ts';
import { EDGE_DEVICE_STATUSES } from '../../twin/snapshot/edge-device-status.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { statusText } from '../shell/colors.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, oneOf, text } from '../shell/inputs.ts';
import { LIST_INPUTS, type Listing, type ListingRow, showListing } from '../shell/listing.ts';
import { withEarlierContents } from '../shell/previous-contents.ts';
import { printable, printableStart } from '../shell/printable.ts';
import { fleetInForce, openState, redactionIn } from '../shell/state.ts';
import { shortRevision, span } from '../shell/terminal.ts';
import { chosenHosts } from './edge-selection.ts';

const INPUTS = {
  '--hub <host>': text('only the devices of this hub'),
  '--status <status>': oneOf(TWIN_STATUSES, text('only the devices with this status')),
  '--runtime <status>': oneOf(
    EDGE_DEVICE_STATUSES,
    text('only the devices that "berth get deployments" counts as this'),
  ),
  ...LIST_INPUTS,
};
const REASON_WIDTH = 100;

/** `berth edge status`: how each IoT Edge device stands. */
export function registerEdgeStatus(edge: CommandGroup): void {
  edge.command({
    name: 'status',
    description: 'show how each IoT Edge device and its modules stand',
    inputs: INPUTS,
    example: 'berth edge status --status rejected',
    changes: false,
    run: edgeStatusList,
  });
}

function edgeStatusList(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { env } = cli;
  const status = readStatus(options.status, TWIN_STATUSES);
  const runtime = readStatus(options.runtime, EDGE_DEVICE_STATUSES);
  const state = openState(env);
  return showListing(cli, options, async (limit): Promise<Listing> => {
    const inForce = await fleetInForce(state);
    const control = await state.control.read();
    const fleet = await withEarlierContents(state, inForce, control);
    const gate = gateOf(control, control.newestBuild);
    const hosts = chosenHosts(fleet, options.hub, env);
    const rows: ListingRow[] = [];
    let isMore = false;
    for await (const stored of edgeDevicesOf(state.twins, hosts, await redactionIn(state, fleet))) {
      if (status !== undefined && stored.agent?.lastReconcile.status !== status) continue;
      if (runtime !== undefined && stored.agent?.lastReconcile.edge !== runtime) continue;
      if (rows.length === limit) {
        isMore = true;
        break;
      }
      rows.push(rowOf(stored, fleet, gate, cli));
    }
    return {
      about: `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`,
      columns: ['device', 'hub', 'status', 'since', 'modules', 'reason'],
      rows,
      more: isMore,
      none:
        fleet.edge === undefined
          ? 'The fleet file has no deployments of IoT Edge (`edge`), so Berth leaves IoT Edge devices alone.'
          : 'No IoT Edge devices.',
      json: { revision: fleet.revision, devices: rows.map(({ item }) => item), more: isMore },
    };
  });
}

function readStatus<Status extends string>(
  given: string | undefined,
  statuses: readonly Status[],
): Status | undefined {
  const found = statuses.find((each) => each === given);
  if (given !== undefined && found === undefined)
    throw invalid(`Unknown status: "${given}". Write one of ${statuses.join(', ')}.`);
  return found;
}

function rowOf(
  { host, deviceId, device, agent }: StoredEdgeDevice,
  fleet: Fleet,
  gate: Gate,
  { terminal, now }: Cli,
): ListingRow {
  const {
    status = 'unknown',
    since,
    why: stored = 'its $edgeAgent is not stored',
  } = agent?.lastReconcile ?? {};
  const hub = fleet.hubByHost.get(host);
  const contents =
    device === undefined || hub === undefined
      ? undefined
      : edgeContents(
          { device, agent },
          { fleet, hub, settings: gate.settingsInForce(fleet), gate, now: now() },
        );
  // A device that a rollout has not reached is compared with what it keeps.
  const manifest = device && manifestFor(device, fleet, contents?.contentOf).manifest;
  const why = stored === '' && contents !== undefined ? waitingFor(contents) : stored;
  const modules: readonly EdgeModuleState[] =
    manifest === undefined || agent === undefined ? [] : moduleStates(manifest, agent.reported);
  const good = modules.filter((module) => module.status === 'running' || module.status === 'stopped').length;
  return {
    key: `${host}|${deviceId}`,
    cells: [
      printable(deviceId),
      host,
      statusText(terminal, status),
      since === undefined || since === 0 ? '-' : `${span(now() - since)} ago`,
      modules.length === 0 ? '-' : `${good} of ${modules.length}`,
      printableStart(why, REASON_WIDTH),
    ],
    item: {
      deviceId,
      hub: host,
      status,
      runtime: agent?.lastReconcile.edge ?? null,
      since: isoTime(since),
      why,
      modules,
    },
  };
}

/** What a device waits for that has what it should have now. Empty: nothing. */
function waitingFor(contents: EdgeContents): string {
  const waits = edgeRollouts(contents).find(({ gets }) => gets === 'previous' || gets === 'nothing');
  return waits === undefined ? '' : `waits for the rollout of ${waits.policy}: ${waits.why}`;
}
