import { limitFunction } from 'p-limit';
import { chunksOf } from './chunks.ts';
import type { Row, Table } from './tables.ts';

const CONCURRENCY = 8;

/** Deletes rows, up to a hundred of a partition together. A row that does not exist is not an error. */
export async function deleteRows(
  table: Table,
  rows: readonly Pick<Row, 'partitionKey' | 'rowKey'>[],
): Promise<void> {
  const chunks = [...new Set(rows.map(({ partitionKey }) => partitionKey))].flatMap((partition) =>
    chunksOf(
      rows.filter(({ partitionKey }) => partitionKey === partition),
      () => 0,
    ),
  );
  const remove = limitFunction(
    async (chunk: typeof rows) => {
      const result = await table.transact(
        chunk.map(({ partitionKey, rowKey }) => ['delete', { partitionKey, rowKey }]),
      );
      if (result.ok) return;
      // One missing row makes the whole transaction fail.
      for (const { partitionKey, rowKey } of chunk) await table.delete(partitionKey, rowKey);
    },
    { concurrency: CONCURRENCY },
  );
  await Promise.all(chunks.map(remove));
}
