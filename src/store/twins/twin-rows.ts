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

/* Converts what is known of a twin to the rows of its partition, and back: snapshot, work item, attention, tombstone. */

export const ID_COLUMNS = ['host', 'deviceId', 'moduleId'];
/**
 * The status of the snapshot row of a deleted twin. The row stays as long as the tombstone, because a transaction cannot
 * delete a row conditionally.
 */
export const DELETED = 'deleted';

/** The statuses of policies as a column: `id:status,…`, in a rollout in stages `id:status:stage`. */
function policyStatusColumn({ policies, stages = {} }: Snapshot['lastReconcile']): string {
  return Object.entries(policies)
    .map(([policy, policyStatus]) => {
      const stage = stages[policy];
      return stage === undefined ? `${policy}:${policyStatus}` : `${policy}:${policyStatus}:${stage}`;
    })
    .join(',');
}

export function readPolicyStatuses(
  column: unknown,
): readonly (readonly [policy: string, policyStatus: PolicyStatus, stage: string | undefined])[] {
  if (typeof column !== 'string' || column === '') return [];
  return column.split(',').map((entry) => {
    const [policy = '', policyStatus = '', stage] = entry.split(':');
    return [policy, policyStatus as PolicyStatus, stage] as const;
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

/** The row of a work item, by which it is found when it is due. */
export function workItemRow(id: TwinId, known: Known) {
  if (known.kind !== 'snapshot' || known.snapshot.workItem === undefined) return undefined;
  const { priority, at, why } = known.snapshot.workItem;
  return {
    partitionKey: partitionOf(id),
    rowKey: workItemKey(id, priority, at),
    properties: { ...idColumns(id), why: sentence(why) },
  };
}

/** A short text. Half of a surrogate pair is replaced, because the tables may refuse it. Texts of devices may be cut anywhere. */
function sentence(why: string): string {
  return Buffer.from(why.slice(0, 1_000), 'utf8').toString('utf8');
}

/** The row of the attention list. A drift that is held or being corrected needs no attention. */
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

/** The row that shows that a twin was deleted, and when. */
export function tombstoneRow(id: TwinId, known: Known) {
  if (known.kind !== 'deleted') return undefined;
  return {
    partitionKey: partitionOf(id),
    rowKey: tombstoneKey(id),
    properties: { ...idColumns(id), at: known.at },
  };
}

/** The action that stores a snapshot, if its row still has this etag. */
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
  const { status, revision, edge } = snapshot.lastReconcile;
  const policies = policyStatusColumn(snapshot.lastReconcile);
  const json = JSON.stringify(snapshot);
  const columns = {
    format,
    status,
    revision,
    policies,
    ...(edge === undefined ? {} : { edge }),
    size: json.length,
  };
  return { ...columns, ...packText(json) };
}

function idColumns({ host, deviceId, moduleId }: TwinId): Record<string, string> {
  return moduleId === undefined ? { host, deviceId } : { host, deviceId, moduleId };
}

/** The twin of a row, by its columns. For rows whose key may contain a hash. */
export function twinIdOf({ properties }: Row): TwinId {
  return {
    host: String(properties.host) as HostName,
    deviceId: String(properties.deviceId),
    moduleId: typeof properties.moduleId === 'string' ? properties.moduleId : undefined,
  };
}

/** The twin of a snapshot row: by its key, or by its columns if the key contains a hash. */
export function idOfSnapshot(row: Row): TwinId {
  return idOfSnapshotKey(row.partitionKey, row.rowKey) ?? twinIdOf(row);
}

/** The newer format of a snapshot row. Undefined: this package knows the format, or the row is damaged. */
export function newerSnapshot({ properties }: Row): NewerFormat | undefined {
  return newerFormat(SNAPSHOT_FORMAT, properties.format);
}

/**
 * What a snapshot row holds about its twin. If it is damaged, the twin is read from its hub. Do not call this with a row of
 * a newer package (`newerSnapshot`).
 */
export function knownIn(id: TwinId, { properties }: Row): Known {
  if (properties.status === DELETED) return readDeleted(id, properties.at);
  const read = readDocument(SNAPSHOT_FORMAT, properties.format, () => unpackDocument(properties));
  return { kind: 'snapshot', snapshot: snapshotIn(id, read.kind === 'known' ? read.value : undefined) };
}

function readDeleted(id: TwinId, column: unknown): Known {
  const at = parseInstant(column);
  if (at !== undefined) return { kind: 'deleted', at };
  return {
    kind: 'snapshot',
    snapshot: unreadSnapshot(id, NEVER, 'the stored time of its deletion is damaged'),
  };
}
