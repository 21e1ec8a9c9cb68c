import type { TransactionAction } from '@azure/data-tables';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type NewerFormat, newerFormat, presentFormat, readDocument } from '../../json/document-format.ts';
import { NEVER, parseInstant } from '../../time/instant.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import { type PolicyStatus, type Snapshot, unreadSnapshot } from '../../twin/snapshot/snapshot.ts';
import { SNAPSHOT_FORMAT, snapshotIn } from '../../twin/snapshot/stored-snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { packText, unpackDocument } from '../tables/document.ts';
import {
  attentionKey,
  idOfSnapshotKey,
  partitionOf,
  snapshotKey,
  tombstoneKey,
  workItemKey,
} from '../tables/keys.ts';
import type { Row } from '../tables/tables.ts';

/* What is known of a twin as rows of its partition, and back: the snapshot, its work items, its attention, its tombstone. */

export const ID_COLUMNS = ['host', 'deviceId', 'moduleId'];
/**
 * A deleted twin's snapshot row stays as a stub as long as its tombstone: a transaction cannot delete a row
 * conditionally.
 */
export const DELETED = 'deleted';

/** The statuses of policies as a column: `id:status,…`. */
function policyStatusColumn(policies: Snapshot['lastReconcile']['policies']): string {
  return Object.entries(policies)
    .map(([policy, policyStatus]) => `${policy}:${policyStatus}`)
    .join(',');
}

export function readPolicyStatuses(
  column: unknown,
): readonly (readonly [policy: string, policyStatus: PolicyStatus])[] {
  if (typeof column !== 'string' || column === '') return [];
  return column.split(',').map((entry) => {
    const [policy = '', policyStatus = ''] = entry.split(':');
    return [policy, policyStatus as PolicyStatus] as const;
  });
}

interface PlainRow {
  readonly rowKey: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The actions that turn the old row of a kind into the new one. */
export function moveRow(
  before: (PlainRow & { partitionKey: string }) | undefined,
  after: (PlainRow & { partitionKey: string }) | undefined,
  rewrites: boolean,
): readonly TransactionAction[] {
  const actions: TransactionAction[] = [];
  if (before !== undefined && before.rowKey !== after?.rowKey) {
    actions.push(['delete', { partitionKey: before.partitionKey, rowKey: before.rowKey }]);
  }
  if (after !== undefined && (rewrites || JSON.stringify(before) !== JSON.stringify(after))) {
    actions.push([
      'upsert',
      { ...after.properties, partitionKey: after.partitionKey, rowKey: after.rowKey },
      'Replace',
    ]);
  }
  return actions;
}

/** Where work items is found when its time comes. */
export function workItemRow(id: TwinId, known: Known) {
  if (known.kind !== 'snapshot' || known.snapshot.workItem === undefined) return undefined;
  const { priority, at, why } = known.snapshot.workItem;
  return {
    partitionKey: partitionOf(id),
    rowKey: workItemKey(id, priority, at),
    properties: { ...idColumns(id), why: sentence(why) },
  };
}

/** With a replacement for each half of a character, which the tables may refuse: a device's words may be cut anywhere. */
function sentence(why: string): string {
  return Buffer.from(why.slice(0, 1_000), 'utf8').toString('utf8');
}

/** Statuses that a person should know of. A drift that is being corrected or held back right now is none of them. */
export function attentionRow(id: TwinId, known: Known) {
  if (known.kind !== 'snapshot') return undefined;
  const { lastReconcile, writing } = known.snapshot;
  const { status, since, why, isHeld } = lastReconcile;
  if (status === 'inSync' || status === 'pending') return undefined;
  if (status === 'drifted' && (isHeld || writing !== undefined)) return undefined;
  return {
    partitionKey: partitionOf(id),
    rowKey: attentionKey(id, status),
    properties: { ...idColumns(id), status, since: new Date(since), why: sentence(why) },
  };
}

/** That a twin was deleted, and when. */
export function tombstoneRow(id: TwinId, known: Known) {
  if (known.kind !== 'deleted') return undefined;
  return {
    partitionKey: partitionOf(id),
    rowKey: tombstoneKey(id),
    properties: { ...idColumns(id), at: known.at },
  };
}

/** Stores a snapshot, if its row is still the one that was read. */
export function snapshotAction(
  id: TwinId,
  known: Exclude<Known, { kind: 'nothing' }>,
  etag: string | undefined,
): TransactionAction {
  const entity = {
    partitionKey: partitionOf(id),
    rowKey: snapshotKey(id),
    ...idColumns(id),
    ...snapshotColumns(known),
  };
  return etag === undefined ? ['create', entity] : ['update', entity, 'Replace', { etag }];
}

function snapshotColumns(known: Exclude<Known, { kind: 'nothing' }>): Record<string, unknown> {
  const format = presentFormat(SNAPSHOT_FORMAT);
  if (known.kind === 'deleted') return { format, status: DELETED, at: known.at };
  const { id: _, ...snapshot } = known.snapshot;
  const { status, revision, policies } = snapshot.lastReconcile;
  const json = JSON.stringify(snapshot);
  const columns = { format, status, revision, policies: policyStatusColumn(policies), size: json.length };
  return { ...columns, ...packText(json) };
}

function idColumns({ host, deviceId, moduleId }: TwinId): Record<string, string> {
  return moduleId === undefined ? { host, deviceId } : { host, deviceId, moduleId };
}

/** By the columns, for rows whose key tells nothing but a place. */
export function twinIdOf({ properties }: Row): TwinId {
  return {
    host: String(properties.host) as HostName,
    deviceId: String(properties.deviceId),
    moduleId: typeof properties.moduleId === 'string' ? properties.moduleId : undefined,
  };
}

/** The key is what a row is found by; its columns are needed where the key holds a hash. */
export function idOfSnapshot(row: Row): TwinId {
  return idOfSnapshotKey(row.partitionKey, row.rowKey) ?? twinIdOf(row);
}

/** The newer format that a row of a snapshot has; undefined: this package knows its format, or the row is damaged. */
export function newerSnapshot({ properties }: Row): NewerFormat | undefined {
  return newerFormat(SNAPSHOT_FORMAT, properties.format);
}

/**
 * What a row of a snapshot says of its twin. What is damaged is as good as nothing: the twin is read from its hub. A row of a
 * newer package is not damaged (`newerSnapshot`), and must not be given.
 */
export function knownIn(id: TwinId, { properties }: Row): Known {
  if (properties.status === DELETED) return readDeleted(id, properties.at);
  const read = readDocument(SNAPSHOT_FORMAT, properties.format, () => unpackDocument(properties));
  return { kind: 'snapshot', snapshot: snapshotIn(id, read.kind === 'known' ? read.value : undefined) };
}

function readDeleted(id: TwinId, column: unknown): Known {
  const at = parseInstant(column);
  if (at !== undefined) return { kind: 'deleted', at };
  return { kind: 'snapshot', snapshot: unreadSnapshot(id, NEVER, 'when it was deleted cannot be read') };
}
