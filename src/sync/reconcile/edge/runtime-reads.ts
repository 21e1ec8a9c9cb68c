import { HubError } from '../../../hub/port.ts';
import type { TwinRecord } from '../../../store/twins/twin-store.ts';
import { type Instant, latest, NEVER } from '../../../time/instant.ts';
import { adoptTwin } from '../../../twin/events/apply-event.ts';
import type { Snapshot } from '../../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../../twin/snapshot/twin.ts';
import { markForRead } from '../mark-for-read.ts';
import type { SyncContext } from '../sync-context.ts';
import { knownSnapshot } from './edge-work-state.ts';

/** Reads an unread twin from its hub, if there is a permit. */
export type ReadTwin = (id: TwinId) => Promise<void>;

/** The twins of one IoT Edge device. */
interface StoredRuntime {
  readonly device: Snapshot | undefined;
  readonly agent: TwinRecord;
  readonly hub: TwinRecord;
}

/** Reads `$edgeAgent`, and `$edgeHub` if it is stored: those that are unread, or both after an apply without a result. */
export async function readRuntime(
  context: SyncContext,
  { device, agent, hub }: StoredRuntime,
  read: ReadTwin,
  why: string,
): Promise<void> {
  // Its own work item reads it, and this device follows.
  if (device === undefined || device.unread !== undefined) return;
  const isInterrupted = knownSnapshot(agent.known)?.edge?.intent !== undefined;
  for (const record of [agent, ...(hub.known.kind === 'snapshot' ? [hub] : [])]) {
    const snapshot = knownSnapshot(record.known);
    if (snapshot !== undefined && snapshot.unread === undefined && !isInterrupted) continue;
    if (snapshot?.unread === undefined) await storeUnread(context, record, why);
    await read(record.id);
  }
}

/**
 * Reads `$edgeAgent`, also if it is known. Returns `'conflict'` if another instance has changed its record: it may be
 * applying a manifest, and a read would hide that.
 */
export async function readAgent(
  { twins, hubNow }: SyncContext,
  agent: TwinRecord,
  read: ReadTwin,
  why: string,
): Promise<'conflict' | undefined> {
  const snapshot = knownSnapshot(agent.known);
  if (snapshot === undefined) return undefined;
  const { asOf: since, workItem } = snapshot;
  const marked: Snapshot = {
    ...snapshot,
    unread: { since, why },
    workItem: { priority: 'drift', at: hubNow(), why, tries: workItem?.tries ?? 0 },
  };
  if ((await twins.save(agent, { kind: 'snapshot', snapshot: marked })) === 'conflict') return 'conflict';
  await read(agent.id);
  return undefined;
}

/** Stores that a twin must be read. `atLeast`: the hub's time of the newest change that it is known to have. */
export async function storeUnread(
  { twins, hubNow, wait }: SyncContext,
  { id, known }: TwinRecord,
  why: string,
  atLeast: Instant = NEVER,
): Promise<void> {
  const since = latest(knownSnapshot(known)?.asOf ?? NEVER, atLeast);
  await markForRead(twins, id, { since, why, priority: 'drift', now: hubNow(), wait });
}

/**
 * The snapshot after one GET. Without a permit, or if the call fails, it stays unread. `atLeast`: the hub's time of the newest change that
 * the twin is known to have. An older document does not replace the GET.
 */
export async function readNow(
  { hubs, fleet, hubNow }: SyncContext,
  snapshot: Snapshot,
  why: string,
  atLeast: Instant = NEVER,
): Promise<Snapshot> {
  const since = latest(snapshot.asOf, atLeast);
  const unread: Snapshot = {
    ...snapshot,
    unread: { since, why },
    workItem: { priority: 'drift', at: hubNow(), why, tries: 0 },
  };
  try {
    const read = await hubs.readTwin(snapshot.id);
    return read.kind === 'noPermit'
      ? unread
      : adoptTwin(snapshot, read.answer, since, fleet.twins.trackedPaths);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return unread;
  }
}
