import * as z from 'zod';
import { isObject } from '../../../src/json/json.ts';
import { openJournal } from '../../journal.ts';
import type { Configuration, MetricResults } from '../model/configuration.ts';

/** The configurations of one hub. `put` and `remove` store their changes on disk. */
export interface ConfigurationStore {
  readonly size: number;
  get(id: string): Configuration | undefined;
  /** In the order of their ids. */
  values(): readonly Configuration[];
  put(configuration: Configuration): void;
  remove(id: string): void;
  /** The results of the last evaluation. They are not stored. */
  results(id: string): MetricResults | undefined;
  setResults(id: string, results: MetricResults): void;
  /** Calls `listener` after each change. There is one listener. */
  onChange(listener: () => void): void;
  close(): void;
}

type StoredConfiguration = { readonly put: Configuration } | { readonly remove: string };

/** The journal is compacted when it has this many lines more than four times the number of configurations. */
const COMPACT_SLACK = 1000;

const object = z.custom<object>(isObject);
const texts = z.record(z.string(), z.string());

const PUT = z.looseObject({
  put: z.looseObject({
    id: z.string().min(1),
    schemaVersion: z.string(),
    labels: texts,
    content: z.discriminatedUnion('kind', [
      z.looseObject({ kind: z.literal('device'), deviceContent: object }),
      z.looseObject({ kind: z.literal('module'), moduleContent: object }),
      z.looseObject({
        kind: z.literal('edge'),
        modulesContent: object,
        deviceContent: object.optional(),
      }),
    ]),
    targetCondition: z.string(),
    priority: z.int(),
    metricQueries: texts,
    createdTimeUtc: z.string(),
    lastUpdatedTimeUtc: z.string(),
    revision: z.int().min(1),
  }),
});
const REMOVE = z.looseObject({ remove: z.string().min(1) });

/**
 * Opens the store in `file`; undefined: in memory only.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openConfigurations(file: string | undefined): ConfigurationStore {
  const stored = new Map<string, Configuration>();
  const results = new Map<string, MetricResults>();
  let lines = 0;
  let changed = () => {};
  const journal = openJournal<StoredConfiguration>(file, (record) => {
    (isObject(record) && 'remove' in record ? REMOVE : PUT).parse(record);
    const line = record as StoredConfiguration;
    lines += 1;
    if ('put' in line) stored.set(line.put.id, line.put);
    else stored.delete(line.remove);
  });
  const write = (line: StoredConfiguration): void => {
    journal.append(line);
    lines += 1;
  };
  const finish = (): void => {
    if (lines > 4 * stored.size + COMPACT_SLACK) {
      lines = stored.size;
      journal.compact([...stored.values()].map((configuration) => ({ put: configuration })));
    }
    changed();
  };
  return {
    get size() {
      return stored.size;
    },
    get: (id) => stored.get(id),
    values: () => [...stored.values()].sort((left, right) => (left.id < right.id ? -1 : 1)),
    put(configuration) {
      write({ put: configuration });
      stored.set(configuration.id, configuration);
      finish();
    },
    remove(id) {
      write({ remove: id });
      stored.delete(id);
      results.delete(id);
      finish();
    },
    results: (id) => results.get(id),
    setResults: (id, found) => void results.set(id, found),
    onChange(listener) {
      changed = listener;
    },
    close: () => journal.close(),
  };
}
