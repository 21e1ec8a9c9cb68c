import type { TransactionAction } from '@azure/data-tables';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type NewerFormat, newerFormat, presentFormat, readDocument } from '../../json/document-format.ts';
import { NEVER, parseInstant } from '../../time/instant.ts';
import type { Known } from '../../twin/events/fold.ts';
import { type PolicyStanding, type Shadow, unreadShadow } from '../../twin/snapshot/shadow.ts';
import { SNAPSHOT_FORMAT, snapshotIn } from '../../twin/snapshot/stored-shadow.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { packText, unpackDocument } from '../tables/document.ts';
import { attentionKey, dueKey, idOfShadowKey, partitionOf, shadowKey, tombstoneKey } from '../tables/keys.ts';
import type { Row } from '../tables/tables.ts';

/* What is known of a twin as rows of its partition, and back: the shadow, its due work, its attention, its tombstone. */

export const ID_COLUMNS = ['host', 'deviceId', 'moduleId'];
/**
 * A deleted twin's shadow row stays as a stub as long as its tombstone: a transaction cannot delete a row
 * conditionally.
 */
export const DELETED = 'deleted';

/** Standings as a column: `id:standing,…`. */
function standingsColumn(policies: Shadow['judgement']['policies']): string {
  return Object.entries(policies)
    .map(([policy, standing]) => `${policy}:${standing}`)
    .join(',');
}

export function readStandings(
  column: unknown,
): readonly (readonly [policy: string, standing: PolicyStanding])[] {
  if (typeof column !== 'string' || column === '') return [];
  return column.split(',').map((entry) => {
    const [policy = '', standing = ''] = entry.split(':');
    return [policy, standing as PolicyStanding] as const;
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

/** Where due work is found when its time comes. */
export function dueRow(id: TwinId, known: Known) {
  if (known.kind !== 'shadow' || known.shadow.due === undefined) return undefined;
  const { priority, at, why } = known.shadow.due;
  return {
    partitionKey: partitionOf(id),
    rowKey: dueKey(id, priority, at),
    properties: { ...idColumns(id), why: sentence(why) },
  };
}

/** With a replacement for each half of a character, which the tables may refuse: a device's words may be cut anywhere. */
function sentence(why: string): string {
  return Buffer.from(why.slice(0, 1_000), 'utf8').toString('utf8');
}

/** States that a person should know of. A drift that is being corrected or held back right now is none of them. */
export function attentionRow(id: TwinId, known: Known) {
  if (known.kind !== 'shadow') return undefined;
  const { judgement, writing } = known.shadow;
  const { state, since, why, isHeld } = judgement;
  if (state === 'inSync' || state === 'pending') return undefined;
  if (state === 'drifted' && (isHeld || writing !== undefined)) return undefined;
  return {
    partitionKey: partitionOf(id),
    rowKey: attentionKey(id, state),
    properties: { ...idColumns(id), state, since: new Date(since), why: sentence(why) },
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

/** Stores a shadow, if its row is still the one that was read. */
export function shadowAction(
  id: TwinId,
  known: Exclude<Known, { kind: 'nothing' }>,
  etag: string | undefined,
): TransactionAction {
  const entity = {
    partitionKey: partitionOf(id),
    rowKey: shadowKey(id),
    ...idColumns(id),
    ...shadowColumns(known),
  };
  return etag === undefined ? ['create', entity] : ['update', entity, 'Replace', { etag }];
}

function shadowColumns(known: Exclude<Known, { kind: 'nothing' }>): Record<string, unknown> {
  const format = presentFormat(SNAPSHOT_FORMAT);
  if (known.kind === 'deleted') return { format, state: DELETED, at: known.at };
  const { id: _, ...shadow } = known.shadow;
  const { state, revision, policies } = shadow.judgement;
  const json = JSON.stringify(shadow);
  const columns = { format, state, revision, policies: standingsColumn(policies), size: json.length };
  return { ...columns, ...packText(json) };
}

function idColumns({ host, deviceId, moduleId }: TwinId): Record<string, string> {
  return moduleId === undefined ? { host, deviceId } : { host, deviceId, moduleId };
}

/** By the columns, for rows whose key tells nothing but a place. */
export function idOf({ properties }: Row): TwinId {
  return {
    host: String(properties.host) as HostName,
    deviceId: String(properties.deviceId),
    moduleId: typeof properties.moduleId === 'string' ? properties.moduleId : undefined,
  };
}

/** The key is what a row is found by; its columns are needed where the key holds a hash. */
export function idOfShadow(row: Row): TwinId {
  return idOfShadowKey(row.partitionKey, row.rowKey) ?? idOf(row);
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
  if (properties.state === DELETED) return readDeleted(id, properties.at);
  const read = readDocument(SNAPSHOT_FORMAT, properties.format, () => unpackDocument(properties));
  return { kind: 'shadow', shadow: snapshotIn(id, read.kind === 'known' ? read.value : undefined) };
}

function readDeleted(id: TwinId, column: unknown): Known {
  const at = parseInstant(column);
  if (at !== undefined) return { kind: 'deleted', at };
  return { kind: 'shadow', shadow: unreadShadow(id, NEVER, 'when it was deleted cannot be read') };
}
