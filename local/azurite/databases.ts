import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { damaged, onState } from '../state/failure.ts';

/** Azurite's databases: files of its library LokiJS. */
const FILES = ['blob', 'blob_extent', 'queue', 'queue_extent', 'table'].map(
  (name) => `__azurite_db_${name}__.json`,
);

const DATABASE = z.looseObject({
  collections: z.array(
    z.looseObject({ name: z.string(), data: z.array(z.looseObject({ $loki: z.number() })) }),
  ),
});

/**
 * Checks that Azurite can read its stored databases. Azurite itself would end without the name of the damaged
 * file, or start with an empty database if the file is empty.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function checkDatabases(directory: string): void {
  for (const file of FILES.map((name) => join(directory, name))) {
    if (!existsSync(file)) continue;
    const text = onState(file, () => readFileSync(file, 'utf8'));
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw damaged(file, text === '' ? 'it is empty' : 'it is not JSON', error);
    }
    if (!DATABASE.safeParse(json).success) throw damaged(file, 'it is not a database of Azurite');
  }
}
