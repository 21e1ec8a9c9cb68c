import { type JsonObject, type JsonValue, sameJson } from '../json.ts';
import type { Instant } from './instant.ts';
import { valueAt } from './merge.ts';
import {
  historyOf,
  NO_HISTORY,
  type OwnWrite,
  type PathHistory,
  type Rejection,
  type Shadow,
  type WriteRecord,
} from './shadow.ts';

/** How many foreign changes and own values are worth remembering. */
const MAX_FOREIGN = 101;
const MAX_WRITES = 4;
/** Values that a path is known to have been refused; policies that take turns must not try them for ever. */
const MAX_REJECTIONS = 8;

/** The values of a twin's two property sections after a change, and the desired version of the change. */
export interface Sections {
  readonly desired: JsonObject;
  readonly reported: JsonObject;
  /** The desired version that a changed value gets as "our version". */
  desiredVersion(path: readonly string[]): number;
  /** The hub configuration that wrote a desired value, by its metadata. */
  configuration(path: readonly string[]): string | undefined;
  /** The hub's time of the change. */
  readonly time: Instant;
}

/**
 * The histories after a change that Berth has learnt of. A desired value that changed and is not what Berth
 * was writing is somebody else's change; one that was repeated is nothing.
 */
export function advanceHistories(
  before: Shadow,
  after: Sections,
  tracked: readonly (readonly string[])[],
): Readonly<Record<string, PathHistory>> {
  const keys = new Set([
    ...changedKeys(before.desired, after.desired),
    ...changedKeys(before.reported, after.reported),
  ]);
  if (keys.size === 0) return before.paths;
  const changed = tracked.flatMap((path) => {
    const [key] = path;
    if (key === undefined || !keys.has(key)) return [];
    const history = historyOf(before, path);
    const desired = valueAt(after.desired, path);
    const desiredChanged = !sameJson(valueAt(before.desired, path), desired);
    const reportedChanged = !sameJson(valueAt(before.reported, path), valueAt(after.reported, path));
    if (!desiredChanged && !reportedChanged) return [];
    const own = before.writing?.find(
      (write) => sameJson(write.path, path) && sameJson(write.value, desired ?? null),
    );
    const next: PathHistory = {
      ...history,
      ...(reportedChanged ? { reportedAt: after.time } : {}),
      ...(desiredChanged ? { ours: after.desiredVersion(path), oursAt: after.time } : {}),
      ...(desiredChanged && own !== undefined
        ? { writes: recordWrite(history, own, after.time, false) }
        : {}),
      ...(desiredChanged && own === undefined
        ? { foreign: [after.time, ...history.foreign].slice(0, MAX_FOREIGN) }
        : {}),
      ...(desiredChanged ? { configuration: own === undefined ? after.configuration(path) : undefined } : {}),
    };
    return [[path.join('.'), next] as const];
  });
  return changed.length === 0 ? before.paths : { ...before.paths, ...Object.fromEntries(changed) };
}

/** The keys whose values are not the very same: the only ones below which anything can differ. */
function changedKeys(before: JsonObject, after: JsonObject): readonly string[] {
  if (before === after) return [];
  return [
    ...Object.keys(after).filter((key) => before[key] !== after[key]),
    ...Object.keys(before).filter((key) => !Object.hasOwn(after, key)),
  ];
}

/** The first look at a twin: nothing is known to be Berth's or foreign yet. */
export function firstHistories(
  after: Sections,
  tracked: readonly (readonly string[])[],
): Readonly<Record<string, PathHistory>> {
  const entries = tracked.flatMap((path) => {
    const desired: JsonValue | undefined = valueAt(after.desired, path);
    const reported: JsonValue | undefined = valueAt(after.reported, path);
    if (desired === undefined && reported === undefined) return [];
    const history: PathHistory = {
      ...NO_HISTORY,
      ours: desired === undefined ? 0 : after.desiredVersion(path),
      oursAt: desired === undefined ? undefined : after.time,
      reportedAt: reported === undefined ? undefined : after.time,
      configuration: desired === undefined ? undefined : after.configuration(path),
    };
    return [[path.join('.'), history] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * The histories after Berth's own PATCH was answered: also a repeat of the same value is "our version" then.
 */
export function recordOwnWrites(
  paths: Readonly<Record<string, PathHistory>>,
  shadow: Shadow,
  writes: readonly OwnWrite[],
  desiredVersion: number,
  time: Instant,
): Readonly<Record<string, PathHistory>> {
  const written = writes.map((write) => {
    const history = paths[write.path.join('.')] ?? historyOf(shadow, write.path);
    const isRepeat = sameJson(valueAt(shadow.desired, write.path) ?? null, write.value);
    return [
      write.path.join('.'),
      {
        ...history,
        ours: desiredVersion,
        oursAt: time,
        configuration: undefined,
        writes: recordWrite(history, write, time, isRepeat),
      },
    ] as const;
  });
  return { ...paths, ...Object.fromEntries(written) };
}

/**
 * The histories after a PATCH that may have been applied: a value that desired had already was told again, as far as
 * anybody knows, and nothing else will say so.
 */
export function recordRepeats(
  shadow: Shadow,
  writes: readonly OwnWrite[],
  time: Instant,
): Readonly<Record<string, PathHistory>> {
  const repeats = writes
    .filter(({ path, value }) => sameJson(valueAt(shadow.desired, path) ?? null, value))
    .map((write) => {
      const history = historyOf(shadow, write.path);
      return [write.path.join('.'), { ...history, writes: recordWrite(history, write, time, true) }] as const;
    });
  return { ...shadow.paths, ...Object.fromEntries(repeats) };
}

/** The history with a value that the device or the hub will not take. */
export function recordRejection(history: PathHistory, rejection: Rejection): PathHistory {
  const others = history.rejected.filter(
    ({ policy, value }) => !(policy === rejection.policy && sameJson(value, rejection.value)),
  );
  return { ...history, rejected: [rejection, ...others].slice(0, MAX_REJECTIONS) };
}

/** @param isRepeat desired was this value already, and the device is told again. */
function recordWrite(
  history: PathHistory,
  { policy, by, value }: OwnWrite,
  at: Instant,
  isRepeat: boolean,
): PathHistory['writes'] {
  const [last] = history.writes;
  const isSame = (write: WriteRecord) => write.policy === policy && sameJson(write.value, value);
  // The event of a PATCH may be merged before its answer is stored; it tells of the same write.
  if (last !== undefined && isSame(last) && last.at === at) return history.writes;
  const count = isRepeat ? (history.writes.find(isSame)?.count ?? 0) + 1 : 1;
  const others = history.writes.filter((write) => !isSame(write));
  return [{ policy, by, value, at, count }, ...others].slice(0, MAX_WRITES);
}
