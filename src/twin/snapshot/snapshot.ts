import type { JsonObject, JsonValue } from '../../json/json.ts';
import { EPOCH, type EpochMs } from '../../time/epoch-ms.ts';
import { type Instant, NEVER } from '../../time/instant.ts';
import type { EdgeDeviceStatus } from './edge-device-status.ts';
import type { ParentRecord } from './parent-record.ts';
import type { EdgeRecord, RuntimeTimes } from './runtime-twin.ts';
import type { TwinId } from './twin.ts';

/**
 * Berth's copy of a twin in the state tables. Berth decides from it without a call to the hub. The versions are the hub's.
 * They start again when a device is created again or moves, so `asOf` orders the twins of one id.
 */
export interface Snapshot {
  readonly id: TwinId;
  readonly version: number;
  readonly desiredVersion: number;
  readonly reportedVersion: number;
  /** Undefined: another writer has written tags or desired since Berth last saw the etag. */
  readonly etag: string | undefined;
  /** The Plug and Play model of the device, from the last document with it. Events of changes do not carry it. */
  readonly modelId?: string | undefined;
  /** An IoT Edge device, from the last document that says so. Undefined: not known. */
  readonly isEdge?: boolean | undefined;
  /** Only for the modules of IoT Edge itself. */
  readonly runtime?: RuntimeTimes | undefined;
  /** Only for `$edgeAgent`: what Berth applied. */
  readonly edge?: EdgeRecord | undefined;
  /** Only for devices, where a rule names parents. Undefined: Berth has not looked yet. */
  readonly parent?: ParentRecord | undefined;
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  /**
   * The size of the desired properties before their redaction, as they were last read, in bytes by the hub's rule. Undefined: none of
   * them was redacted, or a service has changed them since.
   */
  readonly desiredBytes?: number | undefined;
  readonly reported: JsonObject;
  /** The hub's time of the newest change in this snapshot. */
  readonly asOf: Instant;
  /** The hub's time since when this twin is known to exist. An earlier twin may have had the same id. */
  readonly bornAt: Instant;
  /** Histories of the paths that policies may own, by dotted path. No key of a twin contains a dot. */
  readonly paths: Readonly<Record<string, PathHistory>>;
  /** The hub's time of the newest sign of life: a report, or activity that the hub reported. */
  readonly lifeAt: Instant | undefined;
  /** The hub's last answer to the question whether the device is alive. */
  readonly activity: Activity | undefined;
  /** Present while Berth must read the twin before it decides anything. */
  readonly unread: Unread | undefined;
  /**
   * The writes of a PATCH, from before it is sent until its answer is stored. So its event is recognised as Berth's own.
   */
  readonly writing: readonly OwnWrite[] | undefined;
  readonly workItem: WorkItem | undefined;
  readonly suspended: { readonly why: string } | undefined;
  /** The result of the last reconciliation. */
  readonly lastReconcile: LastReconcile;
}

export interface Unread {
  readonly since: Instant;
  readonly why: string;
  /** A resync reads the twin: no stored data of it is believed. */
  readonly isResync?: boolean;
}

/** What a hub reports about the connection of a device. */
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
  /** The first write of a content in a rollout: the desired value before it, for a rollback. `null`: absent. */
  readonly replaces?: JsonValue;
}

/** Why this twin must be reconciled again, and when. */
export interface WorkItem {
  readonly priority: WorkPriority;
  readonly at: EpochMs;
  readonly why: string;
  /** Failed attempts in a row. The wait grows with them. */
  readonly tries: number;
}

/** `activity`: Berth asks the hub whether the device is alive, in one query for many devices. */
export type WorkPriority = 'edit' | 'drift' | 'resync' | 'activity';
/** The most urgent first. Their indexes are a part of stored keys. */
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

/** Which twins a list has: those with one status, or all that are not in sync. */
export type StatusFilter = TwinStatus | 'notInSync';
export const STATUS_FILTERS: readonly StatusFilter[] = [...TWIN_STATUSES, 'notInSync'];

export function passesFilter(status: TwinStatus, filter: StatusFilter | undefined): boolean {
  if (filter === 'notInSync') return status !== 'inSync';
  return filter === undefined || status === filter;
}

export interface LastReconcile {
  readonly status: TwinStatus;
  /** Since when the twin has this status. */
  readonly since: EpochMs;
  /** One sentence for the attention list; empty when in sync. */
  readonly why: string;
  /** The fleet revision by which the status was decided. */
  readonly revision: string;
  /** The status of each policy that owns a property of this twin, by the beginning of its hash. */
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  /** The stage of the twin in each rollout in stages that is not complete, by the beginning of the policy's hash. */
  readonly stages?: Readonly<Record<string, string>>;
  /**
   * The contents of rollouts that have reached this twin and own no property there, by the beginning of the hash. A pause, or
   * the end of a window, does not bring back what they have ended.
   */
  readonly reached?: readonly string[];
  /** All drifted properties are held (a rollout, a pause, `observe`), so the twin needs no attention. */
  readonly isHeld: boolean;
  /** Only for `$edgeAgent`: how the IoT Edge device stands. */
  readonly edge?: EdgeDeviceStatus;
}

export const POLICY_STATUSES = [
  'unreached',
  'inSync',
  'pending',
  'drifted',
  'held',
  'rejected',
  'contested',
  'lost',
  'silent',
] as const;
/**
 * The worst status of the properties that a policy owns in a twin. `held`: a correction is held. `unreached`: nothing
 * differs, or the previous content applies, and the rollout of the policy has not reached the twin. `lost`: in a rollout in
 * stages, the device has shown no life since its first write. `silent`: as `lost`, and it was silent before already.
 */
export type PolicyStatus = (typeof POLICY_STATUSES)[number];

/** What Berth stores about one path that a policy may own. */
export interface PathHistory {
  /**
   * The desired version at which the value last changed, or at which Berth last wrote it. Repeats of the value by other
   * writers do not count.
   */
  readonly ours: number;
  /** The hub's time of `ours`. Undefined: the value was there before Berth saw the twin. */
  readonly oursAt: Instant | undefined;
  /** The hub's time of the last report of the property, also with the same value. */
  readonly reportedAt: Instant | undefined;
  /** The hub's time at which the reported value last changed. */
  readonly changedAt: Instant | undefined;
  /** The reported value when desired last changed or Berth last wrote. Undefined: none. */
  readonly before: JsonValue | undefined;
  /** Berth's writes, the newest first, with one entry for each value. */
  readonly writes: readonly WriteRecord[];
  /** When other writers changed the value, the newest first. */
  readonly foreign: readonly Instant[];
  /**
   * The hub configuration that wrote the value (`$lastUpdatedBy`). It would overwrite every correction.
   */
  readonly configuration: string | undefined;
  /** Until when Berth leaves the contested property alone. */
  readonly contestedUntil: EpochMs | undefined;
  /** Rejected values, the newest first. */
  readonly rejected: readonly Rejection[];
  /** What the newest content in a rollout replaced. Undefined: no rollout has written the property. */
  readonly replaced?: ReplacedValue | undefined;
}

/** The first write of a content in a rollout. */
export interface ReplacedValue {
  /** Hash of the content. */
  readonly policy: string;
  /** The desired value before it. `null`: absent. */
  readonly value: JsonValue;
  /** The hub's time of the write. */
  readonly at: Instant;
  /** The newest sign of life at this time. */
  readonly lifeAt?: Instant | undefined;
}

export interface WriteRecord {
  /** Hash of the policy. */
  readonly policy: string;
  /** Name of the policy. */
  readonly by: string;
  readonly value: JsonValue;
  readonly at: Instant;
  /** How often Berth wrote it since desired had another value. */
  readonly count: number;
}

/** A rejected value. Berth does not write it again until the policy or the value changes. */
export interface Rejection {
  readonly policy: string;
  readonly value: JsonValue;
  readonly why: string;
  /** The hub rejected it. A report of the device does not change that. */
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

/** @param key the path as one text, with dots. */
export function historyAt(paths: Snapshot['paths'], key: string): PathHistory {
  return Object.hasOwn(paths, key) ? (paths[key] ?? NO_HISTORY) : NO_HISTORY;
}

/** The snapshot of a twin that Berth has not read yet. */
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

/** A snapshot from its stored JSON, in which undefined members are missing. */
export function restoreSnapshot(id: TwinId, stored: Partial<Snapshot>): Snapshot {
  return { ...unreadSnapshot(id, NEVER, ''), unread: undefined, ...stored, id };
}
