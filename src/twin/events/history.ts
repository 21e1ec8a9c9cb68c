import { isObject, type JsonObject, type JsonValue, sameJson } from '../../json/json.ts';
import type { Instant } from '../../time/instant.ts';
import { type PropertyReport, type ReportReading, reportAt } from '../answers/acknowledgement.ts';
import { valueAt } from '../snapshot/merge.ts';
import {
  historyOf,
  NO_HISTORY,
  type OwnWrite,
  type PathHistory,
  type Rejection,
  type Snapshot,
  type WriteRecord,
} from '../snapshot/snapshot.ts';

/** How many changes by others, and how many own values, a history holds. */
const MAX_FOREIGN = 101;
const MAX_WRITES = 4;
/** How many rejected values a history holds. Several policies may own a path in turn; none may retry its value forever. */
const MAX_REJECTIONS = 8;

/** The two property sections of a twin after a change, with the hub's times of the changes. */
export interface Sections {
  readonly desired: JsonObject;
  readonly reported: JsonObject;
  /** Whether the change may have written something below this first key. */
  touches(key: string): boolean;
  /** The desired version that a changed value gets as `ours`. */
  desiredVersion(path: readonly string[]): number;
  /** The hub configuration that wrote a desired value, by its metadata. */
  configuration(path: readonly string[]): string | undefined;
  /** When a desired value was last written, also with the same value. Undefined: not by this change, or not known. */
  desiredTime(path: readonly string[]): Instant | undefined;
  /**
   * When the device last reported the value at a path of the reported section, also the same value. Undefined: not by
   * this change, or not known.
   */
  reportedTime(path: readonly string[]): Instant | undefined;
  /** The hub's time of the change. */
  readonly time: Instant;
}

/**
 * The histories after a change. A changed desired value that Berth was not writing is a change by another writer. A
 * repeated desired value by another writer does not count. A report that repeats its value does count.
 */
export function advanceHistories(
  before: Snapshot,
  after: Sections,
  tracked: readonly (readonly string[])[],
): Readonly<Record<string, PathHistory>> {
  const changed: (readonly [string, PathHistory])[] = [];
  // A loop without further objects, because most changes touch no tracked path.
  for (const path of tracked) {
    const [key] = path;
    if (key === undefined || !after.touches(key)) continue;
    const next = advanceHistory(before, after, path);
    if (next !== undefined) changed.push([path.join('.'), next]);
  }
  return changed.length === 0 ? before.paths : { ...before.paths, ...Object.fromEntries(changed) };
}

/** Undefined: the change does not affect the path. */
function advanceHistory(before: Snapshot, after: Sections, path: readonly string[]): PathHistory | undefined {
  const history = historyOf(before, path);
  const desired = valueAt(after.desired, path);
  const isDesiredChanged = !sameJson(valueAt(before.desired, path), desired);
  const isReportChanged = !sameReport(before.reported, after.reported, path);
  const reportedAt = timeOfReport(after, path) ?? (isReportChanged ? after.time : undefined);
  const isReported =
    reportedAt !== undefined && (history.reportedAt === undefined || reportedAt > history.reportedAt);
  const own = before.writing?.find(
    (write) => sameJson(write.path, path) && sameJson(write.value, desired ?? null),
  );
  const writtenAt = after.desiredTime(path) ?? after.time;
  const isRepeated =
    own !== undefined && after.desiredTime(path) !== undefined && writtenAt > (history.oursAt ?? '');
  if (!isDesiredChanged && !isReportChanged && !isReported && !isRepeated) return undefined;
  const reports: PathHistory = {
    ...history,
    ...(isReported ? { reportedAt } : {}),
    ...(isReportChanged ? { changedAt: reportedAt ?? after.time } : {}),
  };
  if (!isDesiredChanged && !isRepeated) return reports;
  const isReportOlder = reportedAt === undefined || reportedAt <= writtenAt;
  const written: PathHistory = {
    ...reports,
    ours: after.desiredVersion(path),
    oursAt: writtenAt,
    before: reportIn(isReportOlder ? after.reported : before.reported, path)?.value,
  };
  if (own !== undefined) {
    const writes = recordWrite(history, own, writtenAt, !isDesiredChanged);
    return { ...written, ...replacedBy(history, own, writtenAt, before), configuration: undefined, writes };
  }
  return {
    ...written,
    configuration: after.configuration(path),
    foreign: [writtenAt, ...history.foreign].slice(0, MAX_FOREIGN),
  };
}

/**
 * The report about a property. Histories do not know the convention of a policy. So the older convention is tried if Plug
 * and Play finds nothing.
 */
function reportIn(reported: JsonObject, path: readonly string[]): PropertyReport | undefined {
  return reportAt(reported, path) ?? reportAt(reported, path, OLDER);
}

const OLDER: ReportReading = { convention: 'central', wanted: new Set(), desired: {} };

/** Whether the report about a property is unchanged. It may be the acknowledgement of an object around the property. */
function sameReport(before: JsonObject, after: JsonObject, path: readonly string[]): boolean {
  if (before === after) return true;
  const [one, other] = [reportIn(before, path), reportIn(after, path)];
  return (
    sameJson(one?.value, other?.value) &&
    one?.code === other?.code &&
    one?.version === other?.version &&
    one?.description === other?.description &&
    sameJson(valueAt(before, path), valueAt(after, path))
  );
}

/** When the device last reported a property, or the object that it acknowledged as a whole. */
function timeOfReport(sections: Sections, path: readonly string[]): Instant | undefined {
  const report = reportIn(sections.reported, path);
  return report === undefined ? undefined : sections.reportedTime(path.slice(0, report.depth));
}

/**
 * Whether a patch writes the value at a path. If the event has metadata, a property without metadata was not changed by
 * this operation (azure-iot-hub ADU#461).
 */
export function isReportedBy(
  { values, metadata }: { readonly values: JsonObject; readonly metadata: JsonObject },
  path: readonly string[],
): boolean {
  if (!reaches(values, path)) return false;
  const hasMetadata = Object.keys(metadata).some((key) => !key.startsWith('$'));
  return !hasMetadata || reaches(metadata, path);
}

/** Whether a patch has a value at a path, or replaces a value above it. */
export function reaches(patch: JsonObject, path: readonly string[]): boolean {
  let node: JsonValue | undefined = patch;
  for (const key of path) {
    if (!isObject(node)) return true;
    if (!Object.hasOwn(node, key)) return false;
    node = node[key];
  }
  return true;
}

/** The histories of a twin that is read for the first time: no writer is known yet. */
export function firstHistories(
  after: Sections,
  tracked: readonly (readonly string[])[],
): Readonly<Record<string, PathHistory>> {
  const entries = tracked.flatMap((path) => {
    const desired = valueAt(after.desired, path);
    const report = reportIn(after.reported, path);
    if (desired === undefined && report === undefined) return [];
    const reportedAt = report === undefined ? undefined : (timeOfReport(after, path) ?? after.time);
    const writtenAt = desired === undefined ? undefined : (after.desiredTime(path) ?? after.time);
    const isReportOlder = reportedAt !== undefined && writtenAt !== undefined && reportedAt <= writtenAt;
    const history: PathHistory = {
      ...NO_HISTORY,
      ours: desired === undefined ? 0 : after.desiredVersion(path),
      oursAt: writtenAt,
      reportedAt,
      changedAt: reportedAt,
      before: isReportOlder ? report?.value : undefined,
      configuration: desired === undefined ? undefined : after.configuration(path),
    };
    return [[path.join('.'), history] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * The histories after a resync: like those of a first read, because stored data is not believed. Only the values that a
 * policy wrote are kept: a seed is set once, a leaving policy removes what it wrote, and a rollback gives back what a
 * rollout replaced. Their counts start at zero, and rejected values are tried again.
 */
export function resyncedHistories(
  before: Snapshot,
  after: Sections,
  tracked: readonly (readonly string[])[],
): Readonly<Record<string, PathHistory>> {
  const first = firstHistories(after, tracked);
  const entries = tracked.flatMap((path) => {
    const key = path.join('.');
    const believed = (time: Instant) => (time < after.time ? time : after.time);
    const { writes: stored, replaced } = historyOf(before, path);
    const writes = stored.map((write) => ({ ...write, at: believed(write.at), count: 0 }));
    if (!Object.hasOwn(first, key) && writes.length === 0 && replaced === undefined) return [];
    const kept = replaced && {
      ...replaced,
      at: believed(replaced.at),
      lifeAt: replaced.lifeAt && believed(replaced.lifeAt),
    };
    return [[key, { ...(first[key] ?? NO_HISTORY), writes, replaced: kept }] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * The histories after Berth's own PATCH. A repeat of the same value counts as a write too.
 *
 * @param after the sections of the answer; their reported values were reported before the write.
 */
export function recordOwnWrites(
  paths: Readonly<Record<string, PathHistory>>,
  snapshot: Snapshot,
  writes: readonly OwnWrite[],
  desiredVersion: number,
  after: Pick<Sections, 'reported' | 'desiredTime' | 'time'>,
): Readonly<Record<string, PathHistory>> {
  const written = writes.map((write) => {
    const history = paths[write.path.join('.')] ?? historyOf(snapshot, write.path);
    const isRepeat = sameJson(valueAt(snapshot.desired, write.path) ?? null, write.value);
    const time = after.desiredTime(write.path) ?? after.time;
    return [
      write.path.join('.'),
      {
        ...history,
        ours: desiredVersion,
        oursAt: time,
        before: reportIn(after.reported, write.path)?.value,
        ...replacedBy(history, write, time, snapshot),
        configuration: undefined,
        writes: recordWrite(history, write, time, isRepeat),
      },
    ] as const;
  });
  return { ...paths, ...Object.fromEntries(written) };
}

/** What the first write of a content in a rollout has replaced. Later writes of the content do not change it. */
function replacedBy(
  { replaced }: PathHistory,
  { policy, replaces }: OwnWrite,
  at: Instant,
  { lifeAt }: Pick<Snapshot, 'lifeAt'>,
): Pick<PathHistory, 'replaced'> {
  if (replaces === undefined || replaced?.policy === policy) return {};
  return { replaced: { policy, value: replaces, at, ...(lifeAt === undefined ? {} : { lifeAt }) } };
}

/** The history with a value that the device or the hub rejected. */
export function recordRejection(history: PathHistory, rejection: Rejection): PathHistory {
  const others = history.rejected.filter(
    ({ policy, value }) => !(policy === rejection.policy && sameJson(value, rejection.value)),
  );
  return { ...history, rejected: [rejection, ...others].slice(0, MAX_REJECTIONS) };
}

/** @param isRepeat desired had this value already, and Berth wrote it again. */
function recordWrite(
  history: PathHistory,
  { policy, by, value }: OwnWrite,
  at: Instant,
  isRepeat: boolean,
): PathHistory['writes'] {
  const [last] = history.writes;
  const isSame = (write: WriteRecord) => write.policy === policy && sameJson(write.value, value);
  // The event of a PATCH may be merged before its answer is stored. Both are the same write.
  if (last !== undefined && isSame(last) && last.at === at) return history.writes;
  const count = isRepeat ? (history.writes.find(isSame)?.count ?? 0) + 1 : 1;
  const others = history.writes.filter((write) => !isSame(write));
  return [{ policy, by, value, at, count }, ...others].slice(0, MAX_WRITES);
}
