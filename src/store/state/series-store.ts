import type { TransactionAction } from '@azure/data-tables';
import * as z from 'zod';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { DocumentFormat } from '../../json/document-format.ts';
import {
  beginningOf,
  type CountedHub,
  growthOf,
  type HourSums,
  SERIES_KEPT,
  type SeriesHub,
  type SeriesHubs,
  type SeriesStep,
  STEP_MS,
  withRun,
} from '../../metrics/series.ts';
import { type HubCounts, SYNC_COUNTS } from '../../metrics/sync-counters.ts';
import { type EpochMs, epochMs, plus } from '../../time/epoch-ms.ts';
import { EDGE_DEVICE_STATUSES } from '../../twin/snapshot/edge-device-status.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

const PARTITION = 'series';
const PREFIX = { minute: 'm|', hour: 'h|' } as const;
/** Rows that one run removes. In each minute, one minute becomes too old; after a stop of the app, more. */
const MOST_FORGOTTEN = 10;

const counts = z.object(
  Object.fromEntries(SYNC_COUNTS.map((name) => [name, z.number()])) as Record<keyof HubCounts, z.ZodNumber>,
);
const twins = z.object(
  Object.fromEntries(TWIN_STATUSES.map((status) => [status, z.number()])) as Record<
    keyof SeriesHub['twins'],
    z.ZodNumber
  >,
);
const edge = z.partialRecord(z.enum(EDGE_DEVICE_STATUSES), z.number());
const schema = z.object({
  hubs: z.record(z.string(), z.object({ twins, edge: edge.optional(), counts })),
  /** The statistics as the last run has seen them: of its hour and of the one before. */
  seen: z.array(z.object({ hour: z.number(), hubs: z.record(z.string(), counts) })).optional(),
});

interface SeriesRow {
  readonly hubs: SeriesHubs;
  readonly seen?: readonly HourSums[] | undefined;
}

/** The format of rows of series. A change of the schema, another count too, is a new format with a step. */
export const SERIES_FORMAT: DocumentFormat<SeriesRow> = {
  document: 'series',
  steps: [
    // Format 2 adds the IoT Edge devices by status.
    (document) => document,
  ],
  read: (document) => schema.safeParse(document).data as SeriesRow | undefined,
};

/** One minute or hour that was recorded. */
export interface SeriesPoint {
  /** Its beginning. */
  readonly at: EpochMs;
  readonly hubs: SeriesHubs;
}

/** Counts by minute and hour, one row each. `resyncFleet` writes them and removes old ones. */
export class SeriesStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<SeriesRow>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(SERIES_FORMAT, onNewer);
  }

  /**
   * Adds one run to its minute and its hour, in one transaction, and then removes some rows that are too old.
   *
   * @param run.sums the statistics of the hour of `now` and of the one before.
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has written the rows
   */
  async record(run: {
    readonly now: EpochMs;
    readonly counted: Readonly<Record<HostName, CountedHub>>;
    readonly sums: readonly HourSums[];
  }): Promise<void> {
    const { now, sums } = run;
    const [minuteKey, hourKey, hourBefore] = [
      keyOf('minute', now),
      keyOf('hour', now),
      keyOf('hour', plus(now, -STEP_MS.hour)),
    ];
    const [minute, hour] = await Promise.all([this.#read(minuteKey), this.#read(hourKey)]);
    const seen = hour?.seen ?? (await this.#read(hourBefore))?.seen;
    const growth = growthOf(seen, sums);
    const put = (rowKey: string, row: SeriesRow): TransactionAction => [
      'upsert',
      { ...this.#documents.columns(row), partitionKey: PARTITION, rowKey },
      'Replace',
    ];
    await this.#table.transact([
      put(minuteKey, { hubs: withRun(minute?.hubs ?? {}, run.counted, growth) }),
      put(hourKey, { hubs: withRun(hour?.hubs ?? {}, run.counted, growth), seen: sums }),
    ]);
    for (const rowKey of await this.#old(now, hour === undefined))
      await this.#table.delete(PARTITION, rowKey);
  }

  /** The minutes or hours from the one that `from` lies in, up to `to` (exclusive). */
  async list(step: SeriesStep, from: EpochMs, to: EpochMs): Promise<readonly SeriesPoint[]> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: [keyOf(step, from), keyOf(step, plus(to, STEP_MS[step] - 1))],
    });
    return rows.flatMap((row) => {
      const read = this.#documents.read(row, row.rowKey);
      return read.kind === 'known' ? [{ at: timeOf(row), hubs: read.value.hubs }] : [];
    });
  }

  async #read(rowKey: string): Promise<SeriesRow | undefined> {
    const row = await this.#table.get(PARTITION, rowKey);
    return row === undefined ? undefined : this.#documents.readOrRefuse(row, rowKey);
  }

  /** The keys of old rows: of minutes in each run, of hours only when a new hour begins. */
  async #old(now: EpochMs, isNewHour: boolean): Promise<readonly string[]> {
    const steps: readonly SeriesStep[] = isNewHour ? ['minute', 'hour'] : ['minute'];
    const rows = await Promise.all(
      steps.map((step) => {
        const before = plus(now, -SERIES_KEPT[step] * STEP_MS[step]);
        const range = [PREFIX[step], keyOf(step, before)] as const;
        return this.#table.list({ partitionKey: PARTITION, range, select: [], limit: MOST_FORGOTTEN });
      }),
    );
    return rows.flat().map(({ rowKey }) => rowKey);
  }
}

function keyOf(step: SeriesStep, time: EpochMs): string {
  return `${PREFIX[step]}${new Date(beginningOf(time, step)).toISOString().slice(0, 16)}`;
}

function timeOf({ rowKey }: Row): EpochMs {
  return epochMs(Date.parse(`${rowKey.slice(PREFIX.minute.length)}Z`));
}
