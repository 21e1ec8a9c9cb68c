import { type Instant, latest, latestBelievable, NEVER } from '../../time/instant.ts';
import { mergePatch } from '../snapshot/merge.ts';
import { type OwnWrite, type Shadow, unreadShadow } from '../snapshot/shadow.ts';
import {
  lastUpdatedAt,
  lastUpdatedBy,
  lastUpdatedOf,
  lastUpdatedVersion,
  type Section,
  type Twin,
  type TwinId,
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

/** What Berth knows of a twin: its shadow, or that it was deleted, or nothing. */
export type Known =
  | { readonly kind: 'shadow'; readonly shadow: Shadow }
  | { readonly kind: 'deleted'; readonly at: Instant }
  | { readonly kind: 'nothing' };

/**
 * Takes one event into what is known. An event is a hint with a key: it is merged only where it provably
 * follows the shadow; a replay changes nothing; anything else marks the shadow as unread, which costs one
 * GET.
 *
 * @param tracked the paths that policies may own, whose history is kept.
 */
export function foldEvent(known: Known, event: TwinEvent, tracked: readonly (readonly string[])[]): Known {
  switch (event.kind) {
    case 'delete':
      return foldDelete(known, event.time);
    case 'created':
      return foldCreated(known, event);
    case 'create':
    case 'replace':
      return foldDocument(known, event, tracked);
    case 'update':
      return foldUpdate(known, event, tracked);
    case 'unclear':
      return foldUnclear(known, event);
    case 'activity':
      return foldActivity(known, event);
  }
}

/**
 * A connection that the hub had not told of before is a sign of life, once: `connectionState` may be wrong for long. Activity is
 * one by its own time.
 */
function foldActivity(known: Known, event: Extract<TwinEvent, { kind: 'activity' }>): Known {
  if (known.kind !== 'shadow') return known;
  const { shadow } = known;
  const { time, askedAt, isConnected, lastActivityAt } = event;
  const isNewlyConnected = isConnected && shadow.activity?.isConnected !== true;
  const activeAt = lastActivityAt <= latestBelievable(time) ? lastActivityAt : NEVER;
  const lifeAt = latest(shadow.lifeAt ?? NEVER, activeAt, isNewlyConnected ? time : NEVER);
  const isNews = lifeAt > (shadow.lifeAt ?? NEVER);
  const asks = isNews ? 0 : (shadow.activity?.asks ?? 0) + 1;
  return {
    kind: 'shadow',
    shadow: {
      ...shadow,
      lifeAt: lifeAt === NEVER ? undefined : lifeAt,
      activity: { askedAt, asks, isConnected },
    },
  };
}

/** The twin is read: the event says that something happened to it, and cannot be believed in what. */
function foldUnclear(known: Known, { id, time, why }: Extract<TwinEvent, { kind: 'unclear' }>): Known {
  if (known.kind === 'deleted' && time <= known.at) return known;
  if (known.kind !== 'shadow') return { kind: 'shadow', shadow: unreadShadow(id, time, why) };
  const { shadow } = known;
  const unread = shadow.unread ?? { since: time, why };
  return { kind: 'shadow', shadow: { ...shadow, unread: { ...unread, since: latest(unread.since, time) } } };
}

/**
 * A deletion counts if it came after this incarnation was born; an older one tells of an earlier incarnation.
 */
function foldDelete(known: Known, time: Instant): Known {
  if (known.kind === 'shadow') return time > known.shadow.bornAt ? { kind: 'deleted', at: time } : known;
  return { kind: 'deleted', at: known.kind === 'deleted' ? latest(known.at, time) : time };
}

/** A new twin of which nothing more is known: one GET says the rest. */
function foldCreated(known: Known, { id, time }: Extract<TwinEvent, { kind: 'created' }>): Known {
  if (known.kind === 'deleted' && time <= known.at) return known;
  const blank = unreadShadow(id, time, 'its creation event does not tell the whole twin');
  if (known.kind !== 'shadow') return { kind: 'shadow', shadow: blank };
  const { asOf, unread, due, judgement } = known.shadow;
  return time <= latest(asOf, unread?.since ?? asOf)
    ? known
    : { kind: 'shadow', shadow: { ...blank, due, judgement } };
}

function foldDocument(
  known: Known,
  event: Extract<TwinEvent, { kind: 'create' | 'replace' }>,
  tracked: readonly (readonly string[])[],
): Known {
  const { id, time, twin } = event;
  if (known.kind === 'deleted' && time <= known.at) return known;
  if (known.kind !== 'shadow') return { kind: 'shadow', shadow: bornShadow(id, twin, time, tracked) };
  const { shadow } = known;
  // While unread, events after `asOf` were passed over: only a document that is newer than they are makes the
  // GET needless.
  const seen = shadow.unread === undefined ? shadow.asOf : latest(shadow.asOf, shadow.unread.since);
  const isNewer = time > seen || (time === seen && twin.version > shadow.version);
  if (!isNewer) return known;
  return event.kind === 'create'
    ? {
        kind: 'shadow',
        shadow: { ...bornShadow(id, twin, time, tracked), due: shadow.due, judgement: shadow.judgement },
      }
    : { kind: 'shadow', shadow: adoptTwin(shadow, twin, time, tracked) };
}

function foldUpdate(
  known: Known,
  { id, time, change }: Extract<TwinEvent, { kind: 'update' }>,
  tracked: readonly (readonly string[])[],
): Known {
  if (known.kind === 'deleted' && time <= known.at) return known;
  if (known.kind !== 'shadow') {
    return { kind: 'shadow', shadow: unreadShadow(id, time, 'its creation was not seen') };
  }
  const { shadow } = known;
  if (shadow.unread !== undefined) {
    return {
      kind: 'shadow',
      shadow: { ...shadow, unread: { ...shadow.unread, since: latest(shadow.unread.since, time) } },
    };
  }
  if (follows(shadow, time, change))
    return { kind: 'shadow', shadow: mergeChange(shadow, time, change, tracked) };
  if (change.version <= shadow.version && time <= shadow.asOf) return known;
  const why =
    change.version > shadow.version
      ? `events are missing between version ${shadow.version} and ${change.version}`
      : 'versions went back: re-created, moved, or the hub failed over';
  return { kind: 'shadow', shadow: { ...shadow, unread: { since: time, why } } };
}

type Change = Extract<TwinEvent, { kind: 'update' }>['change'];

/** True where nothing can lie between the shadow and this change. */
function follows(shadow: Shadow, time: Instant, { version, tags, desired, reported }: Change): boolean {
  const carriesAKey = [tags, desired?.values, reported?.values].some(
    (values) => values !== undefined && Object.keys(values).length > 0,
  );
  return (
    carriesAKey &&
    time >= shadow.asOf &&
    version === shadow.version + 1 &&
    (desired === undefined || desired.version === shadow.desiredVersion + 1) &&
    (reported === undefined || reported.version === shadow.reportedVersion + 1)
  );
}

function mergeChange(
  shadow: Shadow,
  time: Instant,
  { version, tags, desired, reported }: Change,
  tracked: readonly (readonly string[])[],
): Shadow {
  const desiredVersion = desired?.version ?? shadow.desiredVersion;
  const sections: Sections = {
    desired: desired === undefined ? shadow.desired : mergePatch(shadow.desired, desired.values),
    reported: reported === undefined ? shadow.reported : mergePatch(shadow.reported, reported.values),
    touches: (key) => hasKey(desired, key) || hasKey(reported, key),
    desiredVersion: () => desiredVersion,
    configuration: (path) => lastUpdatedBy(desired?.metadata ?? {}, path),
    desiredTime: (path) => (desired !== undefined && isReportedBy(desired, path) ? time : undefined),
    reportedTime: (path) => (reported !== undefined && isReportedBy(reported, path) ? time : undefined),
    time,
  };
  const byAService = tags !== undefined || desired !== undefined;
  return {
    ...shadow,
    version,
    desiredVersion,
    reportedVersion: reported?.version ?? shadow.reportedVersion,
    // A device's report leaves the etag alone; a service's write changes it, and events do not carry the new
    // one.
    etag: byAService ? undefined : shadow.etag,
    tags: tags === undefined ? shadow.tags : mergePatch(shadow.tags, tags),
    desired: sections.desired,
    reported: sections.reported,
    asOf: time,
    lifeAt: reported === undefined ? shadow.lifeAt : latest(time, shadow.lifeAt ?? time),
    paths: advanceHistories(shadow, sections, tracked),
  };
}

/** A twin that was just created, as its event carries it. */
function bornShadow(id: TwinId, twin: Twin, time: Instant, tracked: readonly (readonly string[])[]): Shadow {
  const blank = unreadShadow(id, time, '');
  return {
    ...blank,
    ...contents(twin, time),
    modelId: twin.modelId || undefined,
    lifeAt: lifeIn(twin, undefined),
    unread: undefined,
    paths: firstHistories(sectionsOf(twin, time), tracked),
  };
}

/**
 * The shadow after a whole twin was read: by GET, in a PATCH's answer, or from a replace event. A time more than five minutes ahead
 * of the hub's own clock is not believed, wherever it comes from. After a resync nothing that was stored is.
 *
 * @param led the hub's time of the event that led to the reading; the document itself does not say when a tag
 *   changed.
 */
export function adoptTwin(
  shadow: Shadow,
  twin: Twin,
  led: Instant,
  tracked: readonly (readonly string[])[],
): Shadow {
  const believed = believedBy(twin);
  const isResync = shadow.unread?.isResync === true;
  const known = isResync ? NEVER : believed(shadow.asOf);
  const sections = sectionsOf(twin, latest(believed(twin.lastUpdated), believed(led), known));
  // A version that went back is another incarnation: re-created, moved back, or restored by a failover.
  const isFirst = isResync || shadow.version === 0 || twin.version < shadow.version;
  return {
    ...shadow,
    ...contents(twin, sections.time),
    modelId: twin.modelId === undefined && !isFirst ? shadow.modelId : twin.modelId || undefined,
    bornAt: isFirst || believed(shadow.bornAt) === NEVER ? sections.time : shadow.bornAt,
    lifeAt: lifeIn(twin, isResync ? undefined : shadow.lifeAt),
    activity: isResync ? undefined : shadow.activity,
    unread: undefined,
    parked: undefined,
    paths: isResync
      ? resyncedHistories(shadow, sections, tracked)
      : isFirst
        ? firstHistories(sections, tracked)
        : advanceHistories(shadow, sections, tracked),
  };
}

/** Times that the hub's clock, where the document came with it, does not contradict; `NEVER` in the place of others. */
function believedBy({ readAt }: Twin): (time: Instant) => Instant {
  if (readAt === undefined) return (time) => time;
  return (time) => (time <= readAt || time <= latestBelievable(readAt) ? time : NEVER);
}

/** The newest sign of life that is known: reported properties show when the device last wrote them. */
function lifeIn(twin: Twin, known: Instant | undefined): Instant | undefined {
  const believed = believedBy(twin);
  const reportedAt = believed(lastUpdatedOf(twin.reported.metadata));
  const life = latest(reportedAt, believed(known ?? NEVER));
  return life === NEVER ? undefined : life;
}

/** The shadow after Berth's own PATCH was answered with the whole twin. */
export function adoptOwnWrite(
  shadow: Shadow,
  twin: Twin,
  writes: readonly OwnWrite[],
  tracked: readonly (readonly string[])[],
): Shadow {
  const adopted = adoptTwin({ ...shadow, writing: writes }, twin, shadow.asOf, tracked);
  const sections = sectionsOf(twin, adopted.asOf);
  return {
    ...adopted,
    writing: undefined,
    paths: recordOwnWrites(adopted.paths, shadow, writes, twin.desired.version, sections),
  };
}

function contents(
  twin: Twin,
  asOf: Instant,
): Pick<
  Shadow,
  'version' | 'desiredVersion' | 'reportedVersion' | 'etag' | 'tags' | 'desired' | 'reported' | 'asOf'
> {
  return {
    version: twin.version,
    desiredVersion: twin.desired.version,
    reportedVersion: twin.reported.version,
    etag: twin.etag,
    tags: twin.tags,
    desired: twin.desired.values,
    reported: twin.reported.values,
    asOf,
  };
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

function hasKey(section: Section | undefined, key: string): boolean {
  return section !== undefined && Object.hasOwn(section.values, key);
}
