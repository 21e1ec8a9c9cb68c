import { twinSizeOf } from '../../iot-hub/twin-limits.ts';
import { type Instant, latest, latestBelievable, NEVER } from '../../time/instant.ts';
import { holdsRedacted } from '../redaction/redact-values.ts';
import { mergePatch } from '../snapshot/merge.ts';
import { isRuntimeModule, runtimeTimesOf, withReport } from '../snapshot/runtime-twin.ts';
import { type OwnWrite, type Snapshot, unreadSnapshot } from '../snapshot/snapshot.ts';
import {
  lastUpdatedAt,
  lastUpdatedBy,
  lastUpdatedOf,
  lastUpdatedVersion,
  type Twin,
  type TwinId,
  type TwinSection,
} from '../snapshot/twin.ts';
import type { TwinEvent } from './event.ts';
import {
  advanceHistories,
  firstHistories,
  isReportedBy,
  recordOwnWrites,
  resyncedHistories,
  type Sections,
} from './history.ts';

/** What Berth knows of a twin: its snapshot, its deletion, or nothing. */
export type Known =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'deleted'; readonly at: Instant }
  | { readonly kind: 'nothing' };

/**
 * Applies one event to what is known of its twin. An event is merged only if it provably follows the snapshot. A replay
 * changes nothing. Any other event marks the snapshot as unread, which costs one GET.
 *
 * @param tracked the paths that policies may own; their histories are kept.
 */
export function applyEvent(known: Known, event: TwinEvent, tracked: readonly (readonly string[])[]): Known {
  switch (event.kind) {
    case 'delete':
      return applyDelete(known, event.time);
    case 'created':
      return applyCreated(known, event);
    case 'create':
    case 'replace':
      return applyDocument(known, event, tracked);
    case 'update':
      return applyUpdate(known, event, tracked);
    case 'unclear':
      return applyUnclear(known, event);
    case 'activity':
      return applyActivity(known, event);
  }
}

/**
 * Activity is a sign of life at its own time. A connection that the hub did not report before is one too, but only once:
 * `connectionState` may be wrong for a long time.
 */
function applyActivity(known: Known, event: Extract<TwinEvent, { kind: 'activity' }>): Known {
  if (known.kind !== 'snapshot') return known;
  const { snapshot } = known;
  const { time, askedAt, isConnected, lastActivityAt } = event;
  const isNewlyConnected = isConnected && snapshot.activity?.isConnected !== true;
  const activeAt = lastActivityAt <= latestBelievable(time) ? lastActivityAt : NEVER;
  const lifeAt = latest(snapshot.lifeAt ?? NEVER, activeAt, isNewlyConnected ? time : NEVER);
  const isNews = lifeAt > (snapshot.lifeAt ?? NEVER);
  const asks = isNews ? 0 : (snapshot.activity?.asks ?? 0) + 1;
  return {
    kind: 'snapshot',
    snapshot: {
      ...snapshot,
      lifeAt: lifeAt === NEVER ? undefined : lifeAt,
      activity: { askedAt, asks, isConnected },
    },
  };
}

/**
 * The twin must be read: something happened to it, but the contents of the event cannot be trusted. A replay changes nothing,
 * if the version of the event is known.
 */
function applyUnclear(
  known: Known,
  { id, time, version, why }: Extract<TwinEvent, { kind: 'unclear' }>,
): Known {
  if (known.kind === 'deleted' && time <= known.at) return known;
  if (known.kind !== 'snapshot') return { kind: 'snapshot', snapshot: unreadSnapshot(id, time, why) };
  const { snapshot } = known;
  if (version !== undefined && version <= snapshot.version && time <= snapshot.asOf) return known;
  const unread = snapshot.unread ?? { since: time, why };
  return {
    kind: 'snapshot',
    snapshot: { ...snapshot, unread: { ...unread, since: latest(unread.since, time) } },
  };
}

/**
 * A deletion counts if it is later than the creation of this twin. An older one is about an earlier twin of the same id.
 */
function applyDelete(known: Known, time: Instant): Known {
  if (known.kind === 'snapshot') return time > known.snapshot.bornAt ? { kind: 'deleted', at: time } : known;
  return { kind: 'deleted', at: known.kind === 'deleted' ? latest(known.at, time) : time };
}

/** A new twin whose contents are not known: one GET reads them. */
function applyCreated(known: Known, { id, time }: Extract<TwinEvent, { kind: 'created' }>): Known {
  if (known.kind === 'deleted' && time <= known.at) return known;
  const blank = unreadSnapshot(id, time, 'the event of its creation does not hold the whole twin');
  if (known.kind !== 'snapshot') return { kind: 'snapshot', snapshot: blank };
  const { asOf, unread, workItem, lastReconcile } = known.snapshot;
  return time <= latest(asOf, unread?.since ?? asOf)
    ? known
    : { kind: 'snapshot', snapshot: { ...blank, workItem, lastReconcile } };
}

function applyDocument(
  known: Known,
  event: Extract<TwinEvent, { kind: 'create' | 'replace' }>,
  tracked: readonly (readonly string[])[],
): Known {
  const { id, time, twin } = event;
  if (known.kind === 'deleted' && time <= known.at) return known;
  if (known.kind !== 'snapshot') return { kind: 'snapshot', snapshot: bornSnapshot(id, twin, time, tracked) };
  const { snapshot } = known;
  // While the snapshot is unread, events after `asOf` are not merged. Only a document that is newer than these events
  // replaces the GET.
  const seen = snapshot.unread === undefined ? snapshot.asOf : latest(snapshot.asOf, snapshot.unread.since);
  const isNewer = time > seen || (time === seen && twin.version > snapshot.version);
  if (!isNewer) return known;
  return event.kind === 'create'
    ? {
        kind: 'snapshot',
        snapshot: {
          ...bornSnapshot(id, twin, time, tracked),
          workItem: snapshot.workItem,
          lastReconcile: snapshot.lastReconcile,
        },
      }
    : { kind: 'snapshot', snapshot: adoptTwin(snapshot, twin, time, tracked) };
}

function applyUpdate(
  known: Known,
  { id, time, change }: Extract<TwinEvent, { kind: 'update' }>,
  tracked: readonly (readonly string[])[],
): Known {
  if (known.kind === 'deleted' && time <= known.at) return known;
  if (known.kind !== 'snapshot') {
    return {
      kind: 'snapshot',
      snapshot: unreadSnapshot(id, time, 'Berth has not seen the event of its creation'),
    };
  }
  const { snapshot } = known;
  if (snapshot.unread !== undefined) {
    return {
      kind: 'snapshot',
      snapshot: { ...snapshot, unread: { ...snapshot.unread, since: latest(snapshot.unread.since, time) } },
    };
  }
  if (isRuntimeModule(id.moduleId) && change.desired !== undefined && change.version > snapshot.version) {
    // An apply replaces whole sections, and it is not documented how its event describes that.
    const unread = { since: time, why: 'a deployment has changed its desired properties' };
    return { kind: 'snapshot', snapshot: { ...snapshot, unread } };
  }
  if (follows(snapshot, time, change))
    return { kind: 'snapshot', snapshot: mergeChange(snapshot, time, change, tracked) };
  if (change.version <= snapshot.version && time <= snapshot.asOf) return known;
  const why =
    change.version > snapshot.version
      ? `events are missing between version ${snapshot.version} and ${change.version}`
      : 'its version went back: the device was created again or moved, or the hub failed over';
  return { kind: 'snapshot', snapshot: { ...snapshot, unread: { since: time, why } } };
}

type Change = Extract<TwinEvent, { kind: 'update' }>['change'];

/** Whether no other change can be between the snapshot and this one. */
function follows(snapshot: Snapshot, time: Instant, { version, tags, desired, reported }: Change): boolean {
  const carriesAKey = [tags, desired?.values, reported?.values].some(
    (values) => values !== undefined && Object.keys(values).length > 0,
  );
  return (
    carriesAKey &&
    time >= snapshot.asOf &&
    version === snapshot.version + 1 &&
    (desired === undefined || desired.version === snapshot.desiredVersion + 1) &&
    (reported === undefined || reported.version === snapshot.reportedVersion + 1)
  );
}

function mergeChange(
  snapshot: Snapshot,
  time: Instant,
  { version, tags, desired, reported }: Change,
  tracked: readonly (readonly string[])[],
): Snapshot {
  const desiredVersion = desired?.version ?? snapshot.desiredVersion;
  const sections: Sections = {
    desired: desired === undefined ? snapshot.desired : mergePatch(snapshot.desired, desired.values),
    reported: reported === undefined ? snapshot.reported : mergePatch(snapshot.reported, reported.values),
    touches: (key) => hasKey(desired, key) || hasKey(reported, key),
    desiredVersion: () => desiredVersion,
    configuration: (path) => lastUpdatedBy(desired?.metadata ?? {}, path),
    desiredTime: (path) => (desired !== undefined && isReportedBy(desired, path) ? time : undefined),
    reportedTime: (path) => (reported !== undefined && isReportedBy(reported, path) ? time : undefined),
    time,
  };
  const byAService = tags !== undefined || desired !== undefined;
  // Every field by name: a copy by spread takes several times as long, and most events come here.
  return {
    id: snapshot.id,
    version,
    desiredVersion,
    reportedVersion: reported?.version ?? snapshot.reportedVersion,
    // A report by the device keeps the etag. A write by a service changes it, and events do not carry the new one.
    etag: byAService ? undefined : snapshot.etag,
    modelId: snapshot.modelId,
    tags: tags === undefined ? snapshot.tags : mergePatch(snapshot.tags, tags),
    desired: sections.desired,
    // The size of a redacted value that was replaced is not known. The next write reads the twin first, because it has no etag.
    desiredBytes: desired === undefined ? snapshot.desiredBytes : undefined,
    reported: sections.reported,
    asOf: time,
    bornAt: snapshot.bornAt,
    paths: advanceHistories(snapshot, sections, tracked),
    lifeAt: reported === undefined ? snapshot.lifeAt : latest(time, snapshot.lifeAt ?? time),
    activity: snapshot.activity,
    unread: snapshot.unread,
    writing: snapshot.writing,
    workItem: snapshot.workItem,
    suspended: snapshot.suspended,
    lastReconcile: snapshot.lastReconcile,
    runtime:
      snapshot.runtime === undefined || reported === undefined
        ? snapshot.runtime
        : withReport(snapshot.runtime, reported.values, time),
    edge: snapshot.edge,
    isEdge: snapshot.isEdge,
    parent: snapshot.parent,
  } satisfies Record<keyof Snapshot, unknown>;
}

/** The snapshot of a new twin, from the document in its event. */
function bornSnapshot(
  id: TwinId,
  twin: Twin,
  time: Instant,
  tracked: readonly (readonly string[])[],
): Snapshot {
  const blank = unreadSnapshot(id, time, '');
  return {
    ...blank,
    ...contents(twin, time),
    modelId: twin.modelId || undefined,
    ...edgeFacts(blank, twin, time),
    lifeAt: lifeIn(twin, undefined),
    unread: undefined,
    paths: firstHistories(sectionsOf(twin, time), tracked),
  };
}

/**
 * The snapshot after a whole twin was read: by GET, in the answer to a PATCH, or from a replace event. A time that is more
 * than five minutes ahead of the hub's own clock is not believed. After a resync, no stored time is believed.
 *
 * @param led the hub's time of the event that caused the read. The document itself has no times of tags.
 */
export function adoptTwin(
  snapshot: Snapshot,
  twin: Twin,
  led: Instant,
  tracked: readonly (readonly string[])[],
): Snapshot {
  const believed = believedBy(twin);
  const isResync = snapshot.unread?.isResync === true;
  const known = isResync ? NEVER : believed(snapshot.asOf);
  const sections = sectionsOf(twin, latest(believed(twin.lastUpdated), believed(led), known));
  // A lower version is another twin of this id: created again, moved back, or restored by a failover.
  const isFirst = isResync || snapshot.version === 0 || twin.version < snapshot.version;
  return {
    ...snapshot,
    ...contents(twin, sections.time),
    modelId: twin.modelId === undefined && !isFirst ? snapshot.modelId : twin.modelId || undefined,
    ...edgeFacts(snapshot, twin, sections.time),
    bornAt: isFirst || believed(snapshot.bornAt) === NEVER ? sections.time : snapshot.bornAt,
    lifeAt: lifeIn(twin, isResync ? undefined : snapshot.lifeAt),
    activity: isResync ? undefined : snapshot.activity,
    unread: undefined,
    suspended: undefined,
    parent: isFirst ? undefined : snapshot.parent,
    paths: isResync
      ? resyncedHistories(snapshot, sections, tracked)
      : isFirst
        ? firstHistories(sections, tracked)
        : advanceHistories(snapshot, sections, tracked),
  };
}

/**
 * What the snapshot of a device or of a module of IoT Edge itself has in addition. A document without `capabilities` keeps
 * what is known. What Berth applied stays known, also if the versions went back: after a failover of the hub, the twin has an
 * earlier manifest of Berth.
 */
function edgeFacts(
  { id, isEdge, edge }: Pick<Snapshot, 'id' | 'isEdge' | 'edge'>,
  twin: Twin,
  time: Instant,
): Pick<Snapshot, 'isEdge' | 'runtime' | 'edge'> {
  if (isRuntimeModule(id.moduleId)) {
    return { runtime: runtimeTimesOf(twin, time), ...(edge === undefined ? {} : { edge }) };
  }
  const known = twin.isEdge ?? isEdge;
  return known === undefined ? {} : { isEdge: known };
}

/** Replaces a time that is too far ahead of the hub's clock by `NEVER`. Without that clock, all times are believed. */
function believedBy({ readAt }: Twin): (time: Instant) => Instant {
  if (readAt === undefined) return (time) => time;
  return (time) => (time <= readAt || time <= latestBelievable(readAt) ? time : NEVER);
}

/** The newest known sign of life. The metadata of the reported properties shows when the device last wrote. */
function lifeIn(twin: Twin, known: Instant | undefined): Instant | undefined {
  const believed = believedBy(twin);
  const reportedAt = believed(lastUpdatedOf(twin.reported.metadata));
  const life = latest(reportedAt, believed(known ?? NEVER));
  return life === NEVER ? undefined : life;
}

/** The snapshot after Berth's own PATCH, whose answer is the whole twin. */
export function adoptOwnWrite(
  snapshot: Snapshot,
  twin: Twin,
  writes: readonly OwnWrite[],
  tracked: readonly (readonly string[])[],
): Snapshot {
  const adopted = adoptTwin({ ...snapshot, writing: writes }, twin, snapshot.asOf, tracked);
  const sections = sectionsOf(twin, adopted.asOf);
  return {
    ...adopted,
    writing: undefined,
    paths: recordOwnWrites(adopted.paths, snapshot, writes, twin.desired.version, sections),
  };
}

function contents(
  twin: Twin,
  asOf: Instant,
): Pick<
  Snapshot,
  | 'version'
  | 'desiredVersion'
  | 'reportedVersion'
  | 'etag'
  | 'tags'
  | 'desired'
  | 'desiredBytes'
  | 'reported'
  | 'asOf'
> {
  return {
    version: twin.version,
    desiredVersion: twin.desired.version,
    reportedVersion: twin.reported.version,
    etag: twin.etag,
    tags: twin.tags,
    desired: twin.desired.values,
    desiredBytes: sizeBeforeRedaction(twin.desired),
    reported: twin.reported.values,
    asOf,
  };
}

/** Undefined: no value is redacted. A text of another writer may look like a redacted value. */
function sizeBeforeRedaction({ values, bytes }: TwinSection): number | undefined {
  return bytes ?? (holdsRedacted(values) ? twinSizeOf(values) : undefined);
}

function sectionsOf(twin: Twin, time: Instant): Sections {
  const believed = believedBy(twin);
  const timeIn = (metadata: Twin['desired']['metadata'], path: readonly string[]) => {
    const found = believed(lastUpdatedAt(metadata, path) ?? NEVER);
    return found === NEVER ? undefined : found;
  };
  return {
    desired: twin.desired.values,
    reported: twin.reported.values,
    touches: () => true,
    desiredVersion: (path) => lastUpdatedVersion(twin.desired.metadata, path) ?? twin.desired.version,
    configuration: (path) => lastUpdatedBy(twin.desired.metadata, path),
    desiredTime: (path) => timeIn(twin.desired.metadata, path),
    reportedTime: (path) => timeIn(twin.reported.metadata, path),
    time,
  };
}

function hasKey(section: TwinSection | undefined, key: string): boolean {
  return section !== undefined && Object.hasOwn(section.values, key);
}
