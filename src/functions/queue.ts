import { limitFunction } from 'p-limit';
import type { QueuePage } from '../api/contract.ts';
import { queueQuery, readQuery } from '../api/queries.ts';
import type { Instance } from '../instance/instance.ts';
import type { PartitionKey } from '../store/tables/keys.ts';
import type { Listed, ListedWorkItem, TwinLists } from '../store/twins/twin-lists.ts';
import { redactReason } from '../twin/events/redact.ts';
import { type Cursor, cursorText, listedHubs, listedPartitions, readCursor } from './cursor.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';

/** Partitions that are read at the same time. */
const CONCURRENCY = 16;

/** The work queue: the twins that must be reconciled again, the most urgent first. */
export function queue(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const { hub, top, after } = readQuery(queueQuery, request.query);
    const fleet = instance.fleet.current();
    const partitions = listedPartitions(listedHubs(fleet, hub));
    const cursor = readCursor(after, partitions, 'work|');
    const [rows, redaction] = await Promise.all([
      firstRows(instance.stores.lists, partitions, cursor, top),
      instance.redaction(fleet),
    ]);
    const last = rows.length === top ? rows.at(-1) : undefined;
    const now = instance.now();
    return taggedAnswer<QueuePage>(request, {
      items: rows.flatMap(({ item }) => {
        if (item === undefined) return [];
        const { id, priority, at, why } = redactReason(item, redaction);
        const { host, deviceId, moduleId = null } = id;
        return [{ hub: host, deviceId, moduleId, priority, at: isoText(at), due: at <= now, why }];
      }),
      next: last === undefined ? null : cursorText(last),
    });
  });
}

type QueueRow = Listed<ListedWorkItem> & { readonly partition: PartitionKey };

/** The first rows of all partitions together. The keys of work items sort by priority and time, whatever the partition. */
async function firstRows(
  lists: TwinLists,
  partitions: readonly PartitionKey[],
  cursor: Cursor | undefined,
  top: number,
): Promise<readonly QueueRow[]> {
  const read = async (partition: PartitionKey): Promise<readonly QueueRow[]> => {
    // Rows with the same key are in the order of their partitions.
    const isIncluded = cursor !== undefined && partition > cursor.partition;
    const rows = await lists.workItems({ partition, after: cursor?.rowKey, limit: top }, isIncluded);
    return rows.map((row) => ({ ...row, partition }));
  };
  const limited = limitFunction(read, { concurrency: CONCURRENCY });
  const rows = (await Promise.all(partitions.map(limited))).flat();
  return rows.sort(compareRows).slice(0, top);
}

function compareRows(one: QueueRow, other: QueueRow): number {
  if (one.rowKey !== other.rowKey) return one.rowKey < other.rowKey ? -1 : 1;
  return one.partition < other.partition ? -1 : 1;
}

function isoText(ms: number): string {
  return new Date(ms).toISOString();
}
