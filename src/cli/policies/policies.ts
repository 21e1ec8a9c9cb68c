import { type Fleet, rolloutContents } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type PolicyOverview, policyOverviews } from '../../sync/resync/sync-overview.ts';
import { type EpochMs, earlierOf, epochMs } from '../../time/epoch-ms.ts';
import type { Cli } from '../shell/cli.ts';
import { bad, uncertain } from '../shell/colors.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { knownHub, knownPolicy } from '../shell/known.ts';
import { LIST_INPUTS, type Listing, type ListOptions, showListing } from '../shell/listing.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { count, percent, right, shortRevision, span, type Terminal } from '../shell/terminal.ts';
import { pauseLines, pauseText } from './pause-text.ts';

/** The options of `berth policies`. */
export const POLICY_LIST = LIST_INPUTS;

interface PolicyListOptions extends ListOptions {
  /** Counts only the twins of this hub. */
  readonly hub?: string | undefined;
  readonly policy?: string | undefined;
}

/** `berth policies`: shows every policy of the fleet file in force, its rollout and its results on devices. */
export function registerPolicies(berth: CommandGroup): void {
  berth.command({
    name: 'policies',
    description: 'show every policy: its rollout, its results on devices, and pauses',
    inputs: POLICY_LIST,
    example: 'berth policies --watch',
    changes: false,
    run: showPolicies,
  });
}

/** `berth policies` and `berth get policies` */
export function showPolicies(cli: Cli, options: PolicyListOptions): Promise<number> {
  const { terminal, env, now } = cli;
  const state = openState(env);
  return showListing(cli, options, async (limit): Promise<Listing> => {
    const fleet = await fleetInForce(state);
    const control = await state.control.read();
    const hosts = hostsToCount(fleet, options.hub);
    const counted = await state.twinCounts.read(hosts);
    const all = policyOverviews(fleet, control, counted, now());
    const names = all.map(({ name }) => name);
    const only = options.policy === undefined ? undefined : knownPolicy(options.policy, names, IN_FORCE);
    const matching = all.filter(({ name }) => only === undefined || name === only);
    const overviews = matching.slice(0, limit);
    const countedAt = oldest([...counted.values()].map((twins) => twins.countedAt));
    const age = countedAt === undefined ? 'not all counted yet' : `counted ${span(now() - countedAt)} ago`;
    const left = { ...control, policies: without(control.policies, rolloutContents(fleet)) };
    return {
      about: `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}. Twins: ${age}.`,
      columns: COLUMNS,
      rows: overviews.map((policy) => ({
        key: policy.name,
        cells: cellsOf(policy, terminal, now()),
        item: policy,
      })),
      more: matching.length > overviews.length,
      none: 'The fleet file has no policies.',
      notes: [
        ...pauseLines(control, ['fleet', 'hub'], now()),
        ...pauseLines(left, ['policy'], now()).map(
          (line) => `${line} The fleet file no longer defines this policy.`,
        ),
      ],
      json: {
        revision: fleet.revision,
        countedAt,
        policies: overviews,
        pauses: { fleet: control.fleet, hubs: control.hubs, policies: control.policies },
      },
    };
  });
}

const IN_FORCE = 'The fleet file in force';
const COLUMNS = [
  'policy',
  'mode',
  right('since'),
  right('rollout'),
  right('reached'),
  right('rejected'),
  right('held'),
  right('contested'),
  'paused',
];

function hostsToCount({ hubs }: Fleet, only: string | undefined): readonly HostName[] {
  const hosts = hubs.map(({ host }) => host);
  return only === undefined ? hosts : [knownHub(only, hosts, IN_FORCE)];
}

function cellsOf(policy: PolicyOverview, terminal: Terminal, now: EpochMs): readonly string[] {
  const { name, mode, since, rollout, reached, rejected, held, contested, pause } = policy;
  const alarming = (number: number) => (number === 0 ? '0' : bad(terminal, count(number)));
  return [
    name,
    mode,
    since === undefined ? 'not yet' : `${span(now - since)} ago`,
    percent(rollout),
    count(reached),
    alarming(rejected),
    count(held),
    alarming(contested),
    pause === undefined ? '' : uncertain(terminal, pauseText(pause, now)),
  ];
}

function without<Value>(
  paused: Readonly<Record<string, Value>>,
  overviews: readonly { readonly name: string }[],
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(paused).filter(([name]) => !overviews.some((policy) => policy.name === name)),
  );
}

/** The earliest time; undefined if one of them is undefined. */
function oldest(times: readonly (EpochMs | undefined)[]): EpochMs | undefined {
  return times.reduce<EpochMs | undefined>(
    (first, time) => (first === undefined || time === undefined ? undefined : earlierOf(first, time)),
    epochMs(Number.POSITIVE_INFINITY),
  );
}
