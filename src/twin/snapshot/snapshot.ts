import type { JsonObject, JsonValue } from '../../json/json.ts';
import { EPOCH, type EpochMs } from '../../time/epoch-ms.ts';
import { type Instant, NEVER } from '../../time/instant.ts';
import type { TwinId } from './twin.ts';

/**
 * Berth's copy of a twin, in the state tables: what it can decide from without asking the hub. Versions are
 * the hub's; they restart when a device is re-created or moves, so `asOf` orders incarnations.
 */
export interface Snapshot {
  readonly id: TwinId;
  readonly version: number;
  readonly desiredVersion: number;
  readonly reportedVersion: number;
  /** Known only while nobody else has written tags or desired since Berth last saw it. */
  readonly etag: string | undefined;
  /** The device's Plug and Play model, from the last document of the twin that had it; events do not carry it. */
  readonly modelId?: string | undefined;
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  readonly reported: JsonObject;
  /** The hub's time of the newest change in here. */
  readonly asOf: Instant;
  /** The hub's time from which this incarnation is known to exist. */
  readonly bornAt: Instant;
  /** History of the paths that policies may own, by dotted path (no key of a twin holds a dot). */
  readonly paths: Readonly<Record<string, PathHistory>>;
  /** The hub's time of the newest sign of life of the device: a report, or activity that the hub told of. */
  readonly lifeAt: Instant | undefined;
  /** What the hub said when it was last asked whether the device is alive. */
  readonly activity: Activity | undefined;
  /** Present while a GET is needed before anything may be decided. */
  readonly unread: Unread | undefined;
  /**
   * Present from before a PATCH until its answer is stored: what it sets, so that its event is recognised as
   * Berth's own.
   */
  readonly writing: readonly OwnWrite[] | undefined;
  readonly workItem: WorkItem | undefined;
  readonly suspended: { readonly why: string } | undefined;
  /** What the last look came to. */
  readonly lastReconcile: LastReconcile;
}

export interface Unread {
  readonly since: Instant;
  readonly why: string;
  /** Nothing that is stored of the twin is believed: a resync reads it. */
  readonly isResync?: boolean;
}

/** What a hub says of a device's connection. */
export interface Activity {
  /** When the hub was asked. */
  readonly askedAt: EpochMs;
  /** How often it was asked in a row without a new sign of life. */
  readonly asks: number;
  readonly isConnected: boolean;
}

export interface OwnWrite {
  readonly path: readonly string[];
  /** Hash of the policy. */
  readonly policy: string;
  /** Its name, which stays when its content changes. */
  readonly by: string;
  readonly value: JsonValue;
}

/** Why this twin must be looked at again, and when. */
export interface WorkItem {
  readonly priority: WorkPriority;
  readonly at: EpochMs;
  readonly why: string;
  /** How often it has been tried in a row; the back-off grows with it. */
  readonly tries: number;
}

/** `activity`: its hub is asked whether the device is alive, together with many others. */
export type WorkPriority = 'edit' | 'drift' | 'resync' | 'activity';
/** The most urgent first. Their places are part of stored keys. */
export const WORK_PRIORITIES: readonly WorkPriority[] = ['edit', 'drift', 'resync', 'activity'];

export type TwinStatus =
  | 'inSync'
  | 'pending'
  | 'drifted'
  | 'rejected'
  | 'contested'
  | 'suspended'
  | 'unknown';
export const TWIN_STATUSES: readonly TwinStatus[] = [
  'inSync',
  'pending',
  'drifted',
  'rejected',
  'contested',
  'suspended',
  'unknown',
];

export interface LastReconcile {
  readonly status: TwinStatus;
  /** Since when. */
  readonly since: EpochMs;
  /** One sentence for the attention list; empty when in sync. */
  readonly why: string;
  /** Fleet revision that it was judged with. */
  readonly revision: string;
  /** How each policy that owns a property here stands, by the beginning of its hash. */
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  /** What differs is held back (a rollout, a pause, `observe`), so nobody need look after it. */
  readonly isHeld: boolean;
}

/**
 * The worst property that a policy owns in a twin. `held`: it would be written, if the policy were not held;
 * `unreached`: nothing differs, and the rollout of the policy has not reached the twin.
 */
export type PolicyStatus = 'unreached' | 'inSync' | 'pending' | 'drifted' | 'held' | 'rejected' | 'contested';

/** What Berth remembers about one path that a policy may own. */
export interface PathHistory {
  /**
   * "Our version": the desired version at which the value last changed or Berth last wrote it. A repeat by
   * others does not count.
   */
  readonly ours: number;
  /** The hub's time of that; undefined: it was there when the twin was first seen. */
  readonly oursAt: Instant | undefined;
  /** When the device last reported the property, the same value or another, by the hub's time. */
  readonly reportedAt: Instant | undefined;
  /** When the reported value last changed, by the hub's time. */
  readonly changedAt: Instant | undefined;
  /** The value that the device reported when desired last changed or Berth last wrote; undefined: none. */
  readonly before: JsonValue | undefined;
  /** Berth's writes, the newest first, one entry a value. */
  readonly writes: readonly WriteRecord[];
  /** When others changed the value, the newest first. */
  readonly foreign: readonly Instant[];
  /**
   * The hub configuration that wrote the value here (`$lastUpdatedBy`): it would write it again for ever.
   */
  readonly configuration: string | undefined;
  /** Until when Berth leaves a contested path alone. */
  readonly contestedUntil: EpochMs | undefined;
  /** Values that the device will not take, the newest first. */
  readonly rejected: readonly Rejection[];
}

export interface WriteRecord {
  /** Hash of the policy. */
  readonly policy: string;
  /** Name of the policy. */
  readonly by: string;
  readonly value: JsonValue;
  readonly at: Instant;
  /** How often the device was told it since desired was something else. */
  readonly count: number;
}

/** A value that the device will not take: not written again until the policy or the value changes. */
export interface Rejection {
  readonly policy: string;
  readonly value: JsonValue;
  readonly why: string;
  /** The hub will not take it: no report of the device says otherwise. */
  readonly isByHub?: boolean;
}

export const NO_HISTORY: PathHistory = {
  ours: 0,
  oursAt: undefined,
  reportedAt: undefined,
  changedAt: undefined,
  before: undefined,
  writes: [],
  foreign: [],
  configuration: undefined,
  contestedUntil: undefined,
  rejected: [],
};

export function historyOf({ paths }: Pick<Snapshot, 'paths'>, path: readonly string[]): PathHistory {
  return historyAt(paths, path.join('.'));
}

/** @param key the path with dots. */
export function historyAt(paths: Snapshot['paths'], key: string): PathHistory {
  return Object.hasOwn(paths, key) ? (paths[key] ?? NO_HISTORY) : NO_HISTORY;
}

/** A twin that Berth has heard of and knows nothing about yet. */
export function unreadSnapshot(id: TwinId, since: Instant, why: string): Snapshot {
  return {
    id,
    version: 0,
    desiredVersion: 0,
    reportedVersion: 0,
    etag: undefined,
    tags: {},
    desired: {},
    reported: {},
    asOf: since,
    bornAt: since,
    paths: {},
    lifeAt: undefined,
    activity: undefined,
    unread: { since, why },
    writing: undefined,
    workItem: undefined,
    suspended: undefined,
    lastReconcile: { status: 'unknown', since: EPOCH, why, revision: '', policies: {}, isHeld: false },
  };
}

/** A snapshot from its stored JSON, which leaves out what is undefined. */
export function restoreSnapshot(id: TwinId, stored: Partial<Snapshot>): Snapshot {
  return { ...unreadSnapshot(id, NEVER, ''), unread: undefined, ...stored, id };
}
