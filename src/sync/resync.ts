import pLimit from 'p-limit';
import { currentCauses } from '../allocation/moves.ts';
import { BerthError, type ErrorCode } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { HubPort } from '../hub/port.ts';
import type { JsonValue } from '../json.ts';
import type { ConditionsStore } from '../store/conditions-store.ts';
import { dueKey, type PartitionKey, partitionsOf } from '../store/keys.ts';
import type { Lease } from '../store/lease.ts';
import type { DueRow, TwinStore } from '../store/twin-store.ts';
import type { TwinEvent } from '../twin/event.ts';
import { instantOf } from '../twin/instant.ts';
import type { TwinId } from '../twin/twin.ts';
import type { Outcome } from './reconciler.ts';

export interface ResyncOptions {
  readonly fleet: Fleet;
  /** The hubs that this deployment reconciles. */
  readonly hosts: readonly HostName[];
  readonly hubs: HubPort;
  readonly twins: TwinStore;
  readonly conditions: ConditionsStore;
  readonly lease: Lease;
  readonly reconcile: (id: TwinId, events: readonly TwinEvent[]) => Promise<Outcome>;
  /** A newer package runs elsewhere: due work is left to it. */
  readonly isOutdated: boolean;
  readonly now: () => number;
  /** Where the last run stopped counting. */
  readonly position: Position;
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
}

/** A number that outlives the run. */
export interface Position {
  read(): Promise<number>;
  write(value: number): Promise<void>;
}

export interface ResyncSummary {
  /** False: another instance is at it. */
  readonly ran: boolean;
  readonly due: number;
  readonly counted: number;
}

/** A run ends by then; the timer starts the next after a minute. */
export const RUN_MS = 50_000;
/** Short, so that an instance that dies is soon replaced; a run that goes on renews it. */
const LEASE_MS = 15_000;
/**
 * Hubs are asked for their number of devices no more often than this, however often the timer is fired by
 * hand.
 */
const STATISTICS_EVERY_MS = 10_000;
/** What says that a hub is ill. Missing rights, a throttle and a spent quota do not. */
const UNHEALTHY: ReadonlySet<ErrorCode> = new Set(['BERTH_HUB_TIMEOUT', 'BERTH_HUB_UNAVAILABLE']);
const CONCURRENCY = 8;
const DUE_PAGE = 100;
/**
 * Event Hubs keep events for at most seven days on most tiers; a tombstone must outlive the last of them, by
 * a day.
 */
const TOMBSTONE_MS = 8 * 24 * 60 * 60_000;

/**
 * What needs no event: asks the hubs for their devices and health, does the due work whose time has come, and
 * counts the twins by state. One instance at a time.
 */
export async function resync(options: ResyncOptions): Promise<ResyncSummary> {
  const { lease, now } = options;
  if (!(await lease.take(now(), LEASE_MS))) return { ran: false, due: 0, counted: 0 };
  let isHeld = true;
  const until = now() + RUN_MS;
  const mayGoOn: MayGoOn = () => isHeld && now() < until;
  const renewing = setInterval(() => {
    lease.take(now(), LEASE_MS).then(
      (held) => {
        isHeld = held;
      },
      () => {
        isHeld = false;
      },
    );
  }, LEASE_MS / 3);
  try {
    await refreshConditions(options);
    const due = options.isOutdated ? 0 : await drainDue(options, mayGoOn);
    const counted = await countTwins(options, mayGoOn);
    return { ran: true, due, counted };
  } finally {
    clearInterval(renewing);
    await lease.release();
  }
}

/** False when the time is over, or another instance has the lease. */
type MayGoOn = () => boolean;

async function refreshConditions({
  fleet,
  hosts,
  hubs,
  conditions,
  now,
  isOutdated,
  warn,
}: ResyncOptions): Promise<void> {
  const known = await conditions.read(now());
  const limit = pLimit(CONCURRENCY);
  const ask = async (host: HostName): Promise<void> => {
    const counted = known.hubs.get(host)?.devices?.countedAt ?? 0;
    if (now() - counted < STATISTICS_EVERY_MS) return;
    try {
      await conditions.recordCount(host, await hubs.countDevices(host), now());
    } catch (error) {
      if (!(error instanceof BerthError) || error.code === 'BERTH_STORE_UNAVAILABLE') throw error;
      warn(error.message, { code: error.code, hub: host });
      if (UNHEALTHY.has(error.code)) await conditions.recordFailure(host);
    }
  };
  await Promise.all(hosts.map((host) => limit(() => ask(host))));
  // The causes of an older fleet file are none of the newer one's: they would begin again and again.
  if (!isOutdated) await conditions.recordCauses(currentCauses(fleet, known, now()), known, now());
}

/** Does what is due, partition by partition; each partition by priority and time. */
async function drainDue(options: ResyncOptions, mayGoOn: MayGoOn): Promise<number> {
  const { twins, now } = options;
  const limit = pLimit(CONCURRENCY);
  let done = 0;
  const drain = async (partition: PartitionKey): Promise<void> => {
    while (mayGoOn()) {
      const rows = await twins.due(partition, now(), DUE_PAGE);
      for (const row of rows) {
        if (!mayGoOn()) return;
        await doDue(row, options);
        done += 1;
      }
      if (rows.length < DUE_PAGE) return;
    }
  };
  await Promise.all(partitionsFor(options).map((partition) => limit(() => drain(partition))));
  return done;
}

async function doDue(row: DueRow, { twins, reconcile }: ResyncOptions): Promise<void> {
  await reconcile(row.id, []);
  const { known } = await twins.load(row.id);
  const due = known.kind === 'shadow' ? known.shadow.due : undefined;
  // A row that its twin does not know would come up again for ever.
  if (due === undefined || dueKey(row.id, due.priority, due.at) !== row.rowKey) await twins.dropDue(row);
}

/** Counts as many partitions as there is time for, going on where the last run stopped. */
async function countTwins(options: ResyncOptions, mayGoOn: MayGoOn): Promise<number> {
  const { twins, now, position } = options;
  const partitions = partitionsFor(options);
  const start = (await position.read()) % Math.max(1, partitions.length);
  let counted = 0;
  const count = async (partition: PartitionKey): Promise<void> => {
    if (!mayGoOn()) return;
    await twins.count(partition, now(), instantOf(now() - TOMBSTONE_MS));
    counted += 1;
  };
  const limit = pLimit(CONCURRENCY);
  const inOrder = [...partitions.slice(start), ...partitions.slice(0, start)];
  await Promise.all(inOrder.map((partition) => limit(() => count(partition))));
  if (counted < partitions.length) await position.write(start + counted);
  return counted;
}

function partitionsFor({ hosts }: ResyncOptions): readonly PartitionKey[] {
  return hosts.flatMap((host) => partitionsOf(host));
}
