import { HubError } from '../../../hub/port.ts';
import type { TwinRecord } from '../../../store/twins/twin-store.ts';
import { NEVER } from '../../../time/instant.ts';
import { adoptTwin } from '../../../twin/events/apply-event.ts';
import { markUnread } from '../../../twin/events/mark.ts';
import type { Snapshot } from '../../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../../twin/snapshot/twin.ts';
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

/** Reads `$edgeAgent`, and `$edgeHub` if it is stored. */
export async function readRuntime(
  context: SyncContext,
  { device, agent, hub }: StoredRuntime,
  read: ReadTwin,
  why: string,
): Promise<void> {
  // Its own work item reads it, and this device follows.
  if (device === undefined || device.unread !== undefined) return;
  for (const record of [agent, ...(hub.known.kind === 'snapshot' ? [hub] : [])]) {
    const snapshot = knownSnapshot(record.known);
    const isRead =
      snapshot !== undefined && snapshot.unread === undefined && snapshot.edge?.intent === undefined;
    if (isRead) continue;
    if (snapshot?.unread === undefined) await storeUnread(context, record, why);
    await read(record.id);
  }
}

/** Stores that a twin must be read. */
export async function storeUnread(
  { twins, hubNow }: SyncContext,
  record: TwinRecord,
  why: string,
): Promise<void> {
  const since = knownSnapshot(record.known)?.asOf;
  const fresh = await twins.load(record.id);
  const known = markUnread(fresh.known, record.id, {
    since: since ?? knownSnapshot(fresh.known)?.asOf ?? NEVER,
    why,
    priority: 'drift',
    at: hubNow(),
  });
  if (known.kind === 'snapshot') await twins.save(fresh, known);
}

/** The snapshot after one GET. Without a permit, or if the call fails, it stays unread. */
export async function readNow(
  { hubs, fleet, hubNow }: SyncContext,
  snapshot: Snapshot,
  why: string,
): Promise<Snapshot> {
  const unread: Snapshot = {
    ...snapshot,
    unread: { since: snapshot.asOf, why },
    workItem: { priority: 'drift', at: hubNow(), why, tries: 0 },
  };
  try {
    const read = await hubs.readTwin(snapshot.id);
    return read.kind === 'noPermit'
      ? unread
      : adoptTwin(snapshot, read.answer, snapshot.asOf, fleet.twins.trackedPaths);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return unread;
  }
}
