import { drainOfDevice } from '../allocation/moves/drain-of-device.ts';
import type { Control } from '../control/control.ts';
import { drainOf } from '../control/drains.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { Stores } from '../store/stores.ts';
import { type PartitionKey, partitionsOf } from '../store/tables/keys.ts';
import type { CountedTwins } from '../store/twins/twin-count-store.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { type Instant, instantOf } from '../time/instant.ts';
import { isoTime } from '../time/iso-time.ts';
import { requestedAt } from '../twin/plan/move-request.ts';
import { MOVE_STATES, type MoveState, moveStateOf } from '../twin/plan/move-state.ts';
import { historyAt, type PolicyStatus } from '../twin/snapshot/snapshot.ts';

/** How a device that was on the hub when the drain began, or came later, stands. */
export const DRAIN_STATES = ['moved', 'gone', ...MOVE_STATES] as const;
export type DrainState = (typeof DRAIN_STATES)[number];

export type DrainCounts = Readonly<Record<DrainState, number>>;

/** A device of a draining hub. Times are ISO 8601. */
export interface DrainedDevice {
  readonly deviceId: string;
  readonly state: DrainState;
  /** When it left the hub, when it was asked, or when it will be asked. Null: not known. */
  readonly at: string | null;
  /** The hub on which it is now. Null: the draining hub, or no hub that Berth knows. */
  readonly movedTo: HostName | null;
  /** The newest sign of life. Null: none, or it is gone. */
  readonly lifeAt: string | null;
  /** Why it is not asked. Empty: nothing to say. */
  readonly why: string;
}

export interface DrainOverview {
  readonly counts: DrainCounts;
  /** The first devices of the wanted state. */
  readonly devices: readonly DrainedDevice[];
  /** There are more of them. */
  readonly more: boolean;
}

export interface DrainQuestion {
  readonly fleet: Fleet;
  readonly control: Control;
  readonly host: HostName;
  /** When the drain began. Undefined: `resyncFleet` has not recorded it yet. */
  readonly since: EpochMs | undefined;
  /** Which devices are listed. Undefined: none. */
  readonly state: DrainState | undefined;
  /** How many of them at most. */
  readonly limit: number;
}

type Sources = Pick<Stores, 'lists' | 'twins'>;

const PAGE = 1_000;

/**
 * The devices of a draining hub by state. Reads the columns of all its twins, and of other hubs only if devices have left this
 * one. A device that left counts as moved if Berth knows its twin on another hub of the fleet file.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function drainOverview(sources: Sources, question: DrainQuestion): Promise<DrainOverview> {
  const { fleet, host, since, state, limit } = question;
  const id = fleet.twins.moveRequest?.policy.id;
  const counts = noDevices();
  const listed: { readonly deviceId: string; readonly left?: Left }[] = [];
  const count = (found: DrainState, device: (typeof listed)[number]): void => {
    counts[found] += 1;
    if (found === state && listed.length <= limit) listed.push(device);
  };
  for (const [bucket, partition] of partitionsOf(host).entries()) {
    for await (const { deviceId, policies } of devicesIn(sources, partition)) {
      count(moveStateOf(id === undefined ? undefined : policies[id]), { deviceId });
    }
    const left =
      since === undefined ? new Map<string, Instant>() : await leftSince(sources, partition, since);
    const places = await placesOf(sources, fleet, host, bucket, left);
    for (const [deviceId, at] of left) {
      const movedTo = places.get(deviceId) ?? null;
      count(movedTo === null ? 'gone' : 'moved', { deviceId, left: { at, movedTo } });
    }
  }
  const shown = listed.slice(0, limit);
  const devices = await Promise.all(
    shown.map(({ deviceId, left }) =>
      left === undefined
        ? describeStaying(sources, question, deviceId)
        : {
            deviceId,
            state: left.movedTo === null ? ('gone' as const) : ('moved' as const),
            ...left,
            lifeAt: null,
            why: '',
          },
    ),
  );
  return { counts, devices, more: listed.length > limit };
}

/** The devices of a hub by the state of their move request, as `resyncFleet` has counted them. Undefined: it has no drain. */
export function moveCounts(
  fleet: Pick<Fleet, 'twins'>,
  control: Control,
  host: HostName,
  counted: CountedTwins | undefined,
): Readonly<Record<MoveState, number>> | undefined {
  const { moveRequest } = fleet.twins;
  if (moveRequest === undefined || drainOf(control, host)?.since === undefined) return undefined;
  const counts: Record<MoveState, number> = { asked: 0, silent: 0, waiting: 0, notAsked: 0 };
  const statuses = Object.entries(counted?.policies[moveRequest.policy.id] ?? {});
  for (const [status, number] of statuses) counts[moveStateOf(status as PolicyStatus)] += number;
  return counts;
}

/** When a device left the hub, and where it is now. */
interface Left {
  readonly at: Instant;
  readonly movedTo: HostName | null;
}

function noDevices(): Record<DrainState, number> {
  return { moved: 0, gone: 0, asked: 0, silent: 0, waiting: 0, notAsked: 0 };
}

async function* devicesIn({ lists }: Sources, partition: PartitionKey) {
  let after: string | undefined;
  do {
    const page = await lists.twins({ partition, after, limit: PAGE });
    for (const { item } of page) {
      if (item !== undefined && item.id.moduleId === undefined)
        yield { deviceId: item.id.deviceId, policies: item.policies };
    }
    after = page.length < PAGE ? undefined : page.at(-1)?.rowKey;
  } while (after !== undefined);
}

/** The devices that were deleted from a hub since a time, and when. */
async function leftSince({ lists }: Sources, partition: PartitionKey, since: EpochMs) {
  const left = new Map<string, Instant>();
  const first = instantOf(since);
  let after: string | undefined;
  do {
    const page = await lists.deleted({ partition, after, limit: PAGE });
    for (const { item } of page) {
      if (item !== undefined && item.id.moduleId === undefined && item.at >= first)
        left.set(item.id.deviceId, item.at);
    }
    after = page.length < PAGE ? undefined : page.at(-1)?.rowKey;
  } while (after !== undefined);
  return left;
}

/** The other hub on which each of these devices is. A device has the same bucket on all hubs. */
async function placesOf(
  sources: Sources,
  { hubs }: Fleet,
  drained: HostName,
  bucket: number,
  left: ReadonlyMap<string, Instant>,
): Promise<ReadonlyMap<string, HostName>> {
  const places = new Map<string, HostName>();
  if (left.size === 0) return places;
  for (const { host } of hubs) {
    const partition = partitionsOf(host)[bucket];
    if (host === drained || partition === undefined) continue;
    for await (const { deviceId } of devicesIn(sources, partition)) {
      if (left.has(deviceId)) places.set(deviceId, host);
    }
  }
  return places;
}

async function describeStaying(
  { twins }: Sources,
  { fleet, control, host, state = 'notAsked' }: DrainQuestion,
  deviceId: string,
): Promise<DrainedDevice> {
  const { known } = await twins.load({ host, deviceId, moduleId: undefined });
  const device = { deviceId, state, movedTo: null };
  const { moveRequest } = fleet.twins;
  if (known.kind !== 'snapshot' || moveRequest === undefined)
    return { ...device, at: null, lifeAt: null, why: '' };
  const { paths, lifeAt, lastReconcile } = known.snapshot;
  const drain = drainOfDevice(drainOf(control, host), host, deviceId, fleet.allocation);
  const askAt = drain.kind === 'draining' ? isoTime(drain.askAt) : null;
  const isAsked = state === 'asked' || state === 'silent';
  const askedAt = requestedAt(historyAt(paths, moveRequest.leaf.key)) ?? null;
  return {
    ...device,
    at: isAsked ? askedAt : state === 'waiting' ? askAt : null,
    lifeAt: lifeAt ?? null,
    why: state === 'notAsked' ? lastReconcile.why : '',
  };
}
