import { allPolicies, type Fleet } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { partitionsOf } from '../../store/tables/keys.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { isoTime } from '../../time/iso-time.ts';
import {
  type PolicyStatus,
  passesFilter,
  type StatusFilter,
  type TwinStatus,
} from '../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import type { Cli } from '../shell/cli.ts';
import { statusText } from '../shell/colors.ts';
import { knownHub, knownPolicy } from '../shell/known.ts';
import { type Listing, type ListingRow, type ListOptions, showListing } from '../shell/listing.ts';
import { printable, printableStart } from '../shell/printable.ts';
import { twinReasonText } from '../shell/reason.ts';
import { fleetInForce, openState, type State } from '../shell/state.ts';
import { shortRevision, span } from '../shell/terminal.ts';

/** Twins that are read from a partition at a time. */
const PAGE = 200;
const REASON_WIDTH = 100;
const IN_FORCE = 'The fleet file in force';
const COLUMNS = ['device', 'hub', 'status', 'since', 'reason'] as const;

interface Filter {
  readonly hub: string | undefined;
  readonly status: StatusFilter | undefined;
  readonly policy?: string | undefined;
}

/** A twin in a list. */
interface ListedTwin {
  readonly id: TwinId;
  readonly status: TwinStatus;
  readonly since: EpochMs;
  readonly why: string;
  /** How each policy that owns something there stands, by name; undefined: not read. */
  readonly policies?: Readonly<Record<string, PolicyStatus>>;
}

/** `berth get devices` */
export function showDevices(cli: Cli, options: Filter & ListOptions): Promise<number> {
  return showTwins(cli, options, 'devices', devicesOf);
}

/** `berth get attention` */
export function showAttention(cli: Cli, options: Filter & ListOptions): Promise<number> {
  return showTwins(cli, options, 'attention', attentionOf);
}

type TwinSource = (
  state: State,
  fleet: Fleet,
  hosts: readonly HostName[],
  filter: Filter,
) => AsyncGenerator<ListedTwin>;

function showTwins(
  cli: Cli,
  options: Filter & ListOptions,
  what: 'devices' | 'attention',
  source: TwinSource,
): Promise<number> {
  const state = openState(cli.env);
  return showListing(cli, options, async (limit): Promise<Listing> => {
    const fleet = await fleetInForce(state);
    const all = fleet.hubs.map(({ host }) => host);
    const hosts = options.hub === undefined ? all : [knownHub(options.hub, all, IN_FORCE)];
    const found = await first(source(state, fleet, hosts, options), limit + 1);
    const shown = found.slice(0, limit);
    const more = found.length > limit;
    return {
      about: `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`,
      columns: COLUMNS,
      rows: shown.map((twin) => rowOf(twin, cli)),
      more,
      none: what === 'devices' ? 'No twins.' : 'No twin needs you.',
      json: { revision: fleet.revision, [what]: shown.map(itemOf), more },
    };
  });
}

async function* devicesOf(
  { twins }: State,
  fleet: Fleet,
  hosts: readonly HostName[],
  { status, policy }: Filter,
): AsyncGenerator<ListedTwin> {
  const names = new Map(allPolicies(fleet.twins).map(({ id, name }) => [id, name]));
  const wanted = policy === undefined ? undefined : knownPolicy(policy, [...names.values()], IN_FORCE);
  for (const partition of hosts.flatMap((host) => partitionsOf(host))) {
    let after: string | undefined;
    do {
      const page = await twins.page(partition, after, PAGE);
      for (const record of page) {
        if ('newer' in record || record.known.kind !== 'snapshot') continue;
        const { id, lastReconcile } = record.known.snapshot;
        const policies = Object.fromEntries(
          Object.entries(lastReconcile.policies).map(([key, value]) => [names.get(key) ?? key, value]),
        );
        if (!passesFilter(lastReconcile.status, status)) continue;
        if (wanted !== undefined && !Object.hasOwn(policies, wanted)) continue;
        const { status: own, since, why } = lastReconcile;
        yield { id, status: own, since, why, policies };
      }
      after = page.length < PAGE ? undefined : page.at(-1)?.rowKey;
    } while (after !== undefined);
  }
}

async function* attentionOf(
  { twins }: State,
  _fleet: Fleet,
  hosts: readonly HostName[],
  { status }: Filter,
): AsyncGenerator<ListedTwin> {
  for (const partition of hosts.flatMap((host) => partitionsOf(host))) {
    let after: string | undefined;
    do {
      const page = await twins.attention(partition, after, PAGE);
      yield* page.filter((twin) => passesFilter(twin.status, status));
      after = page.length < PAGE ? undefined : page.at(-1)?.rowKey;
    } while (after !== undefined);
  }
}

async function first<Item>(items: AsyncGenerator<Item>, most: number): Promise<readonly Item[]> {
  const found: Item[] = [];
  for await (const item of items) {
    found.push(item);
    if (found.length === most) break;
  }
  return found;
}

function rowOf(twin: ListedTwin, { terminal, now }: Cli): ListingRow {
  const { id, status, since, why } = twin;
  const name = id.moduleId === undefined ? id.deviceId : `${id.deviceId}/${id.moduleId}`;
  return {
    key: `${id.host}/${name}`,
    cells: [
      printable(name),
      id.host,
      statusText(terminal, status),
      since === 0 ? '-' : `${span(now() - since)} ago`,
      printableStart(twinReasonText(why), REASON_WIDTH),
    ],
    item: itemOf(twin),
  };
}

function itemOf({ id, status, since, why, policies }: ListedTwin) {
  return {
    deviceId: id.deviceId,
    moduleId: id.moduleId ?? null,
    hub: id.host,
    status,
    since: since === 0 ? null : isoTime(since),
    why,
    ...(policies !== undefined && { policies }),
  };
}
