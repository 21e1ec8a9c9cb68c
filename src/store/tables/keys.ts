import type { HostName } from '../../iot-hub/host-name.ts';
import { hash, sha256Hex } from '../../json/hash.ts';
import { type EpochMs, epochMs, plus } from '../../time/epoch-ms.ts';
import { type TwinStatus, WORK_PRIORITIES, type WorkPriority } from '../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';

/**
 * Keys of the twin table. All rows of a twin are in one partition, so that its snapshot, work item and attention change in
 * one transaction. The keys must never change, because stored fleets depend on them. `test/store/keys.test.ts` checks them.
 *
 * Code sees sixteen partitions of each hub, so that the work of one hub is one range. The table has sixteen partitions for all
 * hubs, and the hub is in the row key: reports of twins on different hubs are then stored in the same transaction (`TWIN_KEYS`).
 */

/** The number of partitions. It must never change, because it decides where the rows of a twin are. */
export const BUCKETS = 16;
/**
 * A key may have 1 KiB, or 512 UTF-16 characters (Azure Table storage data model). The host name, which has at most 67
 * characters, is added to it.
 */
const MAX_ROW_KEY = 440;

export type PartitionKey = string & { readonly brand: 'PartitionKey' };

/** A partition of the table as it is stored, which has twins of all hubs: `00` to `15`. */
export type Bucket = string & { readonly brand: 'Bucket' };

/** All buckets, in their order. */
export const BUCKET_NAMES: readonly Bucket[] = Array.from({ length: BUCKETS }, (_, bucket) =>
  bucketText(bucket),
);

export function partitionKey(host: HostName, bucket: number): PartitionKey {
  return `${host}|${bucketText(bucket)}` as PartitionKey;
}

function bucketText(bucket: number): Bucket {
  return String(bucket).padStart(2, '0') as Bucket;
}

/** The hub of a partition. */
export function hostOf(partition: string): HostName {
  return partition.slice(0, partition.lastIndexOf('|')) as HostName;
}

export function partitionOf({ host, deviceId }: Pick<TwinId, 'host' | 'deviceId'>): PartitionKey {
  return partitionKey(host, hash(deviceId) % BUCKETS);
}

/** The bucket of a device: the partition key of its rows in the table, on every hub. */
export function bucketOf(deviceId: string): Bucket {
  return bucketText(hash(deviceId) % BUCKETS);
}

/** All partitions of a hub. */
export function partitionsOf(host: HostName): readonly PartitionKey[] {
  return Array.from({ length: BUCKETS }, (_, bucket) => partitionKey(host, bucket));
}

export function snapshotKey(id: TwinId): string {
  return rowKey('s', id);
}

/** How the keys of a table that code uses are stored. */
export interface StoredKeys {
  /** Also for the bounds of ranges, such as `s}`. */
  toStored(partitionKey: string, rowKey: string): StoredKey;
  fromStored(stored: StoredKey): StoredKey;
}

export interface StoredKey {
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** Keys that are stored as they are. */
export const PLAIN_KEYS: StoredKeys = {
  toStored: (partitionKey, rowKey) => ({ partitionKey, rowKey }),
  fromStored: (stored) => stored,
};

/**
 * The keys of the twin table: the host name is behind the kind of the row.
 *
 * @example
 * TWIN_KEYS.toStored('weu.azure-devices.net|07', 's|pump-1')
 * // { partitionKey: '07', rowKey: 's|weu.azure-devices.net|pump-1' }
 */
export const TWIN_KEYS: StoredKeys = {
  toStored(partitionKey, rowKey) {
    const border = partitionKey.lastIndexOf('|');
    const host = partitionKey.slice(0, border);
    const [, kind = '', rest = ''] = /^([a-z]*)(.*)$/s.exec(rowKey) ?? [];
    return { partitionKey: partitionKey.slice(border + 1), rowKey: `${kind}|${host}${rest}` };
  },
  fromStored({ partitionKey, rowKey }) {
    const [, kind = '', host = '', rest = ''] = /^([a-z]*)\|([^|]*)(.*)$/s.exec(rowKey) ?? [];
    return { partitionKey: `${host}|${partitionKey}`, rowKey: `${kind}${rest}` };
  },
};

/** The twin of a snapshot row, by its key. Undefined: the key contains a hash instead of the ids. */
export function idOfSnapshotKey(partition: string, key: string): TwinId | undefined {
  const host = hostOf(partition);
  const [, deviceId = '', moduleId] = key.split('|').map(unescapeId);
  const id = { host, deviceId, moduleId };
  return snapshotKey(id) === key ? id : undefined;
}

/** The common beginning of the keys of the snapshots of devices whose ids begin with a text. */
export function snapshotPrefix(beginning: string): string {
  return `s|${escapeId(beginning)}`;
}

/** The common beginning of the keys of a device's module snapshots. */
export function moduleSnapshotPrefix(deviceId: string): string {
  return `s|${escapeId(deviceId)}|`;
}

export function workItemKey(id: TwinId, priority: WorkPriority, at: EpochMs): string {
  return rowKey(`work|${WORK_PRIORITIES.indexOf(priority)}|${timeText(at)}`, id);
}

/** The range of the due work items of a priority. `from` is inclusive, `to` is exclusive. */
export function workItemRange(priority: WorkPriority, now: EpochMs): readonly [from: string, to: string] {
  const prefix = `work|${WORK_PRIORITIES.indexOf(priority)}|`;
  return [prefix, `${prefix}${timeText(plus(now, 1))}`];
}

/** What a key of a work item says; undefined for another key. */
export function readWorkItemKey(
  key: string,
): { readonly priority: WorkPriority; readonly at: EpochMs } | undefined {
  const [, place, time] = /^work\|(\d)\|(\d{15})\|/.exec(key) ?? [];
  const priority = WORK_PRIORITIES[Number(place)];
  return priority === undefined ? undefined : { priority, at: epochMs(Number(time)) };
}

export function attentionKey(id: TwinId, state: TwinStatus): string {
  return rowKey(`att|${state}`, id);
}

export function tombstoneKey(id: TwinId): string {
  return rowKey('tomb', id);
}

export function isTombstoneKey(key: string): boolean {
  return key.startsWith('tomb|');
}

/** The range of the stored keys of all snapshots and tombstones of a bucket. No other rows are between them. */
export const SNAPSHOTS_AND_TOMBSTONES: readonly [from: string, to: string] = ['s|', 'tomb}'];

/** The range of all keys that begin with a prefix. */
export function prefixRange(prefix: string): readonly [from: string, to: string] {
  const last = prefix.charCodeAt(prefix.length - 1);
  return [prefix, prefix.slice(0, -1) + String.fromCharCode(last + 1)];
}

/** The range of the stored keys of one hub that begin with a prefix, such as `s|`. */
export function storedRange(prefix: string, host: HostName): readonly [from: string, to: string] {
  return prefixRange(`${prefix}${host}|`);
}

function rowKey(prefix: string, { deviceId, moduleId }: TwinId): string {
  const ids = moduleId === undefined ? escapeId(deviceId) : `${escapeId(deviceId)}|${escapeId(moduleId)}`;
  const key = `${prefix}|${ids}`;
  return key.length <= MAX_ROW_KEY ? key : `${prefix}|~${sha256Hex(ids)}`;
}

/** Escapes characters of ids that keys may not contain, such as `# ? %`. An escape begins with `~`. */
export function escapeId(id: string): string {
  return id
    .replace(/[#?%/\\~]/g, (character) => `~${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/[^ -~]/g, (character) => `~u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function unescapeId(text: string): string {
  return text.replace(/~u([0-9a-f]{4})|~([0-9A-F]{2})/g, (_, wide?: string, narrow?: string) =>
    String.fromCharCode(Number.parseInt(wide ?? narrow ?? '', 16)),
  );
}

/** A time as text that sorts as its number, until the year 33658. */
function timeText(at: EpochMs): string {
  return String(Math.max(0, Math.floor(at))).padStart(15, '0');
}
