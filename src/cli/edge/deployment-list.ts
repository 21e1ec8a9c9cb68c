import { edgeOverview } from '../../sync/resync/edge-overview.ts';
import { isoTime } from '../../time/iso-time.ts';
import type { EdgeCount } from '../../twin/snapshot/edge-device-status.ts';
import { pauseText } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import { bad, uncertain } from '../shell/colors.ts';
import { LIST_INPUTS, type Listing, type ListOptions, showListing } from '../shell/listing.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { count, percent, plural, right, shortRevision, span } from '../shell/terminal.ts';
import { chosenHosts } from './edge-selection.ts';

/** The options of `berth get deployments`. */
export const DEPLOYMENT_LIST = LIST_INPUTS;

interface DeploymentListOptions extends ListOptions {
  /** Counts only the devices of this hub. */
  readonly hub?: string | undefined;
}

const COUNTS: readonly (readonly [EdgeCount, string])[] = [
  ['running', 'running'],
  ['applied', 'applied'],
  ['pending', 'pending'],
  ['backingOff', 'backing off'],
  ['unhealthy', 'unhealthy'],
  ['failed', 'failed'],
  ['offline', 'offline'],
  ['contested', 'contested'],
  ['unreached', 'not reached'],
];
const ALARMING: ReadonlySet<EdgeCount> = new Set(['backingOff', 'unhealthy', 'failed', 'contested']);

/** `berth get deployments`: every deployment of IoT Edge, with its devices by status. The same counts as `GET /api/fleet`. */
export function showDeployments(cli: Cli, options: DeploymentListOptions): Promise<number> {
  const { terminal, env, now } = cli;
  const state = openState(env);
  return showListing(cli, options, async (limit): Promise<Listing> => {
    const fleet = await fleetInForce(state);
    const control = await state.control.read();
    const hosts = chosenHosts(fleet, options.hub, env);
    const counted = await state.twinCounts.read(hosts);
    const overview = edgeOverview(fleet, control, counted, now());
    const all = overview?.deployments ?? [];
    const number = (devices: Readonly<Record<EdgeCount, number>>, status: EdgeCount) =>
      ALARMING.has(status) && devices[status] > 0
        ? bad(terminal, count(devices[status]))
        : count(devices[status]);
    const unmatched = overview?.devices.notMatched ?? 0;
    return {
      about: `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`,
      columns: [
        'deployment',
        right('since'),
        right('rollout'),
        ...COUNTS.map(([, title]) => right(title)),
        'paused',
      ],
      rows: all.slice(0, limit).map(({ name, since, rollout, devices, pause, ...rest }) => ({
        key: name,
        cells: [
          name,
          since === undefined ? 'not yet' : `${span(now() - since)} ago`,
          percent(rollout),
          ...COUNTS.map(([status]) => number(devices, status)),
          pause === undefined ? '' : uncertain(terminal, pauseText(pause, now())),
        ],
        item: { name, since: isoTime(since), rollout, devices, pause: pause ?? null, ...rest },
      })),
      more: all.length > limit,
      none: 'The fleet file has no deployments of IoT Edge (`edge`), so Berth leaves IoT Edge devices alone.',
      notes: unmatched === 0 ? [] : [`No deployment matches ${plural(unmatched, 'IoT Edge device')}.`],
      json: { revision: fleet.revision, devices: overview?.devices ?? null, deployments: all },
    };
  });
}
