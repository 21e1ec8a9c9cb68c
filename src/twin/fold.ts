import type { TwinEvent } from './event.ts';
import { advanceHistories, firstHistories, recordOwnWrites, type Sections } from './history.ts';
import { type Instant, latest } from './instant.ts';
import { mergePatch } from './merge.ts';
import { type OwnWrite, type Shadow, unreadShadow } from './shadow.ts';
import { lastUpdatedBy, lastUpdatedVersion, type Twin, type TwinId } from './twin.ts';

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
  }
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
    desiredVersion: () => desiredVersion,
    configuration: (path) => lastUpdatedBy(desired?.metadata ?? {}, path),
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
    paths: advanceHistories(shadow, sections, tracked),
  };
}

/** A twin that was just created, as its event carries it. */
function bornShadow(id: TwinId, twin: Twin, time: Instant, tracked: readonly (readonly string[])[]): Shadow {
  const blank = unreadShadow(id, time, '');
  return {
    ...blank,
    ...contents(twin, time),
    unread: undefined,
    paths: firstHistories(sectionsOf(twin, time), tracked),
  };
}

/**
 * The shadow after a whole twin was read: by GET, in a PATCH's answer, or from a replace event.
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
  const sections = sectionsOf(twin, latest(twin.lastUpdated, led));
  // A version that went back is another incarnation: re-created, moved back, or restored by a failover.
  const isFirst = shadow.version === 0 || twin.version < shadow.version;
  return {
    ...shadow,
    ...contents(twin, sections.time),
    bornAt: isFirst ? sections.time : shadow.bornAt,
    unread: undefined,
    parked: undefined,
    paths: isFirst ? firstHistories(sections, tracked) : advanceHistories(shadow, sections, tracked),
  };
}

/** The shadow after Berth's own PATCH was answered with the whole twin. */
export function adoptOwnWrite(
  shadow: Shadow,
  twin: Twin,
  writes: readonly OwnWrite[],
  tracked: readonly (readonly string[])[],
): Shadow {
  const adopted = adoptTwin({ ...shadow, writing: writes }, twin, shadow.asOf, tracked);
  const writtenAt = latest(twin.lastUpdated, shadow.asOf);
  return {
    ...adopted,
    writing: undefined,
    paths: recordOwnWrites(adopted.paths, shadow, writes, twin.desired.version, writtenAt),
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
  return {
    desired: twin.desired.values,
    reported: twin.reported.values,
    desiredVersion: (path) => lastUpdatedVersion(twin.desired.metadata, path) ?? twin.desired.version,
    configuration: (path) => lastUpdatedBy(twin.desired.metadata, path),
    time,
  };
}
