import { setTimeout } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Hub } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type PartitionKey, partitionsOf, workItemKey } from '../../store/tables/keys.ts';
import type { WorkItemRow } from '../../store/twins/twin-store.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import { AGENT_MODULE } from '../../twin/snapshot/runtime-twin.ts';
import type { WorkPriority } from '../../twin/snapshot/snapshot.ts';
import { twinKey } from '../../twin/snapshot/twin.ts';
import type { Reconciled } from '../reconcile/reconciler.ts';
import { allEnded } from './all-ended.ts';
import { fewTwins, manyTwins, rowsAtOnce, twinsAtOnce } from './queue-size.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { sparing } from './sparing.ts';
import type { WriteClaims } from './write-claims.ts';

/** Rows of a partition that are read at once. */
const PAGE = 50;
/** Rows of a partition that are read at once behind rows that are handled: the most in one answer of a table. */
const LATER_PAGE = 1_000;

/** The priorities of work on single twins, the most urgent first. */
const PRIORITIES: readonly WorkPriority[] = ['edit', 'drift', 'resync'];

/**
 * How often an empty queue is read again while it is filled, while only the queue writes the twins of a hub, and while IoT Edge devices wait
 * for the permit of an apply.
 */
const POLL_MS = 5_000;

export interface QueueOptions {
  /** Where the writes of hubs are claimed. Default: nothing is claimed. */
  readonly claims?: Pick<WriteClaims, 'isClaimed' | 'claim' | 'release'> | undefined;
  /** Whether work items of many twins of a hub will come in this run or the next. Default: they will not. */
  readonly isFilling?: (host: HostName) => boolean;
  /**
   * How long no call to a hub is made, because it has refused calls. In milliseconds; infinity: to the end of the run. Default: calls
   * are made.
   */
  readonly pauseMs?: (host: HostName) => number | undefined;
  /** Waits before an empty queue is read again, and until the pause of a hub is over. Default: a timer. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

const NO_CLAIMS: NonNullable<QueueOptions['claims']> = {
  isClaimed: () => false,
  claim: async () => {},
  release: async () => {},
};

/**
 * Does the due work items of hubs at the same time. In each hub, edits come first, then drifts, then resyncs; the oldest
 * first. While many twins of a hub wait, it claims the writes of the hub.
 *
 * @returns how many twins were handled.
 */
export async function processQueue(
  hosts: readonly HostName[],
  context: ResyncContext,
  mayGoOn: MayGoOn,
  {
    claims = NO_CLAIMS,
    isFilling = () => false,
    pauseMs = () => undefined,
    wait = setTimeout,
  }: QueueOptions = {},
): Promise<number> {
  const options = { claims, isFilling, pauseMs, wait };
  const done = await allEnded(hosts.map((host) => processHub(host, context, mayGoOn, options)));
  return done.reduce((sum, count) => sum + count, 0);
}

async function processHub(
  host: HostName,
  context: ResyncContext,
  mayGoOn: MayGoOn,
  {
    claims,
    isFilling,
    pauseMs,
    wait,
  }: { readonly [Option in keyof QueueOptions]-?: NonNullable<QueueOptions[Option]> },
): Promise<number> {
  const { gate, fleet } = context;
  const hub = fleet.hubByHost.get(host);
  if (hub === undefined) return 0;
  const handled = new HandledItems();
  const isPausedNow = () => pauseMs(host) !== undefined;
  let done = 0;
  let isTrial = false;
  let appliesWait = false;
  while (mayGoOn()) {
    const pausedMs = pauseMs(host);
    if (pausedMs === Number.POSITIVE_INFINITY) {
      if (done > 0) return done;
      break;
    }
    if (pausedMs !== undefined) {
      await wait(pausedMs);
      // A hub that has refused calls gets one twin at first.
      isTrial = true;
      continue;
    }
    // While a hub is paused, its work items stay in the queue.
    if ((await gate.current()).closedFor(host) !== undefined) break;
    const { rows, known } = await dueWork(host, handled, context);
    const round = await processRows(
      rows.slice(0, isTrial ? 1 : rowsAtOnce(hub)),
      { hub, handled, mayGoOn, isPausedNow },
      context,
    );
    done += round.done;
    appliesWait ||= round.appliesWait;
    // The next run goes on, with the claim. Where no twin gets a permit, the partitions may still have some.
    if (!mayGoOn() || (round.refused > 0 && done > round.refused)) return done;
    if (round.refused > 0) break;
    // Twins that are only read wait for permits to read, which no claim makes more.
    const enough = claims.isClaimed(host) ? fewTwins(hub) : manyTwins(hub);
    const areMany = known >= enough && round.written >= round.done / 2;
    if (areMany || isFilling(host)) await claims.claim(host);
    // One twin, or a round that a pause has ended, says little about the others.
    else if (!isTrial && !round.isPaused) await claims.release(host);
    isTrial = false;
    if (round.done > 0 || round.isPaused) continue;
    if (!isFilling(host) && !appliesWait) break;
    await wait(POLL_MS);
  }
  if (mayGoOn()) await claims.release(host);
  return done;
}

/** What became of work items that were handled at the same time. */
interface Round {
  /** Twins that were handled, those without a permit too. */
  readonly done: number;
  readonly written: number;
  /** Twins without a permit, of a hub that takes calls. Without a permit for one twin, the others stay in the queue. */
  readonly refused: number;
  /** IoT Edge devices wait for the permit of an apply, which may come in this run. */
  readonly appliesWait: boolean;
  /** The hub has refused calls, so that no call to it is made for some time. The other twins stay in the queue. */
  readonly isPaused: boolean;
}

async function processRows(
  rows: readonly WorkItemRow[],
  {
    hub,
    handled,
    mayGoOn,
    isPausedNow,
  }: {
    readonly hub: Hub;
    readonly handled: HandledItems;
    readonly mayGoOn: MayGoOn;
    readonly isPausedNow: () => boolean;
  },
  context: ResyncContext,
): Promise<Round> {
  const limit = pLimit(twinsAtOnce(hub));
  let [done, written, refused] = [0, 0, 0];
  let [isPaused, hasFailed, appliesWait] = [false, false, false];
  const work = async (row: WorkItemRow): Promise<void> => {
    const { result, lacksPermit = false, lacksApplyPermit = false } = await processItem(row, context);
    isPaused ||= isPausedNow();
    if (lacksPermit && !isPaused) refused += 1;
    appliesWait ||= lacksApplyPermit;
    if (result === 'corrected') written += 1;
  };
  const processRow = async (row: WorkItemRow): Promise<void> => {
    isPaused ||= isPausedNow();
    if (!mayGoOn() || refused > 0 || isPaused || hasFailed) return;
    handled.add(row);
    try {
      await sparing(row.id, context, () => work(row));
    } catch (error) {
      hasFailed = true;
      throw error;
    }
    done += 1;
  };
  await allEnded(rows.map((row) => limit(() => processRow(row))));
  return { done, written, refused: isPaused ? 0 : refused, isPaused, appliesWait };
}

/** The most times that a run handles one twin. Up to three happen with IoT Edge devices in the seeded model. */
const MOST_TIMES = 5;

/** The work items that a run has handled. */
class HandledItems {
  readonly #rows = new Set<string>();
  readonly #times = new Map<string, number>();

  add({ id, rowKey }: WorkItemRow): void {
    this.#rows.add(rowKey);
    const key = twinKey(id);
    this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
  }

  /**
   * Whether an item is still to do. The next run does rows that stay due because their work failed, and twins that have work again
   * and again.
   */
  leaves({ id, rowKey }: WorkItemRow): boolean {
    return !this.#rows.has(rowKey) && (this.#times.get(twinKey(id)) ?? 0) < MOST_TIMES;
  }
}

/** Due work items of a hub that are not handled yet. */
interface DueWork {
  /**
   * Those of the most urgent priority that has some, the oldest first. If all of them are of IoT Edge devices, those of the next priority
   * follow: a device may wait for the permit of an apply, and others come meanwhile, so they would keep back all other work.
   */
  readonly rows: readonly WorkItemRow[];
  /** How many of all priorities are known to be due. */
  readonly known: number;
}

async function dueWork(host: HostName, handled: HandledItems, context: ResyncContext): Promise<DueWork> {
  const at = context.hubNow();
  const pages = await Promise.all(
    partitionsOf(host).map(async (partition) => {
      const { items, areAll } = await context.twins.firstItems(partition, PAGE);
      const due = items.filter(
        (row) => row.at <= at && PRIORITIES.includes(row.priority) && handled.leaves(row),
      );
      return { due, isWhole: areAll || due.length === items.length };
    }),
  );
  const all = inOrder(pages.flatMap(({ due }) => due));
  const known = all.length;
  const areWhole = pages.every(({ isWhole }) => isWhole);
  const rows: WorkItemRow[] = [];
  for (const priority of PRIORITIES) {
    // In one partition, rows that are handled or not due yet take places of others.
    const found = areWhole
      ? all.filter((row) => row.priority === priority)
      : await dueItems(host, priority, context, (row) => handled.leaves(row));
    rows.push(...found);
    if (rows.some(({ id }) => id.moduleId !== AGENT_MODULE)) break;
  }
  return { rows, known: Math.max(known, rows.length) };
}

/**
 * The oldest rows of a priority in all partitions of a hub.
 *
 * @param isLeft whether a row is still to do. Default: each is. Rows that stay due because their work failed do not hide those behind.
 */
export async function dueItems(
  host: HostName,
  priority: WorkPriority,
  { twins, hubNow }: Pick<ResyncContext, 'twins' | 'hubNow'>,
  isLeft: (row: WorkItemRow) => boolean = () => true,
): Promise<readonly WorkItemRow[]> {
  const at = hubNow();
  const firstLeft = async (partition: PartitionKey): Promise<readonly WorkItemRow[]> => {
    let page = await twins.dueItems(partition, priority, at, PAGE);
    for (;;) {
      const left = page.items.filter((row) => isLeft(row));
      const last = page.items.at(-1);
      if (left.length > 0 || page.areAll || last === undefined) return left;
      page = await twins.dueItems(partition, priority, at, LATER_PAGE, last.rowKey);
    }
  };
  const left = await Promise.all(partitionsOf(host).map((partition) => firstLeft(partition)));
  return inOrder(left.flat());
}

/** The key of a work item begins with its priority and its time. */
function inOrder(rows: readonly WorkItemRow[]): readonly WorkItemRow[] {
  return [...rows].sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1));
}

/** Reconciles a twin because of its work item. */
export async function processItem(row: WorkItemRow, context: ResyncContext): Promise<Reconciled> {
  const reconciled = await context.reconciler.reconcile(row.id, []);
  await dropStale(row, reconciled.known, context);
  return reconciled;
}

/** Removes the row of a work item that its twin no longer has. */
export async function dropStale(
  row: WorkItemRow,
  known: Known,
  { twins }: Pick<ResyncContext, 'twins'>,
): Promise<void> {
  const workItem = known.kind === 'snapshot' ? known.snapshot.workItem : undefined;
  // Such a row would otherwise be due in every run.
  if (workItem === undefined || workItemKey(row.id, workItem.priority, workItem.at) !== row.rowKey)
    await twins.dropItem(row);
}
