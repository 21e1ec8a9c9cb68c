import type { HostName } from '../../iot-hub/host-name.ts';
import { hash, sha256Hex } from '../../json/hash.ts';
import { type TwinStatus, WORK_PRIORITIES, type WorkPriority } from '../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';

/**
 * Keys of the twin table. All rows of a twin share its partition, so that its snapshot, work items and attention
 * change in one transaction. Frozen: stored fleets depend on it, and `test/store/keys.test.ts` holds vectors.
 */

/** Fixed for good: it decides where a twin's rows are. */
export const BUCKETS = 16;
/** Table keys may have 1 KiB, that is 512 UTF-16 characters (Azure Table storage data model). */
const MAX_ROW_KEY = 500;

export type PartitionKey = string & { readonly brand: 'PartitionKey' };

export function partitionKey(host: HostName, bucket: number): PartitionKey {
  return `${host}|${String(bucket).padStart(2, '0')}` as PartitionKey;
}

export function partitionOf({ host, deviceId }: Pick<TwinId, 'host' | 'deviceId'>): PartitionKey {
  return partitionKey(host, hash(deviceId) % BUCKETS);
}

/** All partitions of a hub. */
export function partitionsOf(host: HostName): readonly PartitionKey[] {
  return Array.from({ length: BUCKETS }, (_, bucket) => partitionKey(host, bucket));
}

export function snapshotKey(id: TwinId): string {
  return rowKey('s', id);
}

/** Which twin a row of a snapshot is about, by its key; undefined where the key holds a hash in the place of the ids. */
export function idOfSnapshotKey(partition: string, key: string): TwinId | undefined {
  const host = partition.slice(0, partition.lastIndexOf('|')) as HostName;
  const [, deviceId = '', moduleId] = key.split('|').map(unescapeId);
  const id = { host, deviceId, moduleId };
  return snapshotKey(id) === key ? id : undefined;
}

/** Where the snapshots of devices begin whose ids begin with a text. */
export function snapshotPrefix(beginning: string): string {
  return `s|${escapeId(beginning)}`;
}

/** Where a device's module snapshots begin. */
export function moduleSnapshotPrefix(deviceId: string): string {
  return `s|${escapeId(deviceId)}|`;
}

export function workItemKey(id: TwinId, priority: WorkPriority, at: number): string {
  return rowKey(`work|${WORK_PRIORITIES.indexOf(priority)}|${timeText(at)}`, id);
}

/** The range of a priority's work items whose time is not after `now`: from, and up to but not including. */
export function workItemRange(priority: WorkPriority, now: number): readonly [from: string, to: string] {
  const prefix = `work|${WORK_PRIORITIES.indexOf(priority)}|`;
  return [prefix, `${prefix}${timeText(now + 1)}`];
}

/** What a key of a work item says; undefined for another key. */
export function readWorkItemKey(
  key: string,
): { readonly priority: WorkPriority; readonly at: number } | undefined {
  const [, place, time] = /^work\|(\d)\|(\d{15})\|/.exec(key) ?? [];
  const priority = WORK_PRIORITIES[Number(place)];
  return priority === undefined ? undefined : { priority, at: Number(time) };
}

export function attentionKey(id: TwinId, state: TwinStatus): string {
  return rowKey(`att|${state}`, id);
}

export function tombstoneKey(id: TwinId): string {
  return rowKey('tomb', id);
}

/** The range of all keys that begin with a prefix. */
export function prefixRange(prefix: string): readonly [from: string, to: string] {
  const last = prefix.charCodeAt(prefix.length - 1);
  return [prefix, prefix.slice(0, -1) + String.fromCharCode(last + 1)];
}

function rowKey(prefix: string, { deviceId, moduleId }: TwinId): string {
  const ids = moduleId === undefined ? escapeId(deviceId) : `${escapeId(deviceId)}|${escapeId(moduleId)}`;
  const key = `${prefix}|${ids}`;
  return key.length <= MAX_ROW_KEY ? key : `${prefix}|~${sha256Hex(ids)}`;
}

/** Device ids may hold `# ? %`, which keys may not; `~` begins an escape and is itself not allowed in ids. */
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

/** Milliseconds as text that sorts as a number until the year 33658. */
function timeText(ms: number): string {
  return String(Math.max(0, Math.floor(ms))).padStart(15, '0');
}
