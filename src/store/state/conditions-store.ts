import type { Conditions, HubConditions, Overrides } from '../../allocation/conditions.ts';
import { HUB_STATES } from '../../fleet/hub-state.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { DocumentFormat } from '../../json/document-format.ts';
import { isObject } from '../../json/json.ts';
import { type EpochMs, epochMsOf } from '../../time/epoch-ms.ts';
import { NewerFormatError, type OnNewerFormat } from '../tables/newer-format.ts';
import { type DocumentColumns, StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

export const CONDITIONS_PARTITION = 'conditions';

type Statistics = {
  readonly devices?: number | undefined;
  readonly countedAt?: Date | undefined;
  /** Failed statistics calls in a row. */
  readonly failures: number;
};
type StoredOverride = {
  /** A text, because the tables store a whole number with another type than a fraction. */
  readonly value: string;
  readonly author: string;
  readonly reason: string;
  readonly expiresAt: Date;
};
type StoredCause = {
  readonly since: Date;
};

/** Conditions are small, so each member of a document is a column. */
const PLAIN: DocumentColumns<Readonly<Record<string, unknown>>> = {
  pack: (document) => document,
  open: (properties) => properties,
};

/*
 * All rows of the conditions have one format. A change is a new format with a step. The rows are read by hand, because a cold
 * start reads them before the first answer, and a schema library takes longer to load than the rows.
 */

export const STATISTICS_FORMAT = conditionsFormat(
  ({ devices, countedAt, failures }): Statistics | undefined =>
    isAbsentOr(isFiniteNumber, devices) && isAbsentOr(isTime, countedAt) && isFiniteNumber(failures)
      ? { devices, countedAt, failures }
      : undefined,
);
export const OVERRIDE_FORMAT = conditionsFormat(
  ({ value, author, reason, expiresAt }): StoredOverride | undefined =>
    isText(value) && isText(author) && isText(reason) && isTime(expiresAt)
      ? { value, author, reason, expiresAt }
      : undefined,
);
export const CAUSE_FORMAT = conditionsFormat(({ since }): StoredCause | undefined =>
  isTime(since) ? { since } : undefined,
);

function conditionsFormat<Value>(
  read: (columns: Readonly<Record<string, unknown>>) => Value | undefined,
): DocumentFormat<Value> {
  return {
    document: 'conditions',
    steps: [],
    read: (document) => (isObject(document) ? read(document) : undefined),
  };
}

function isAbsentOr<Value>(
  is: (value: unknown) => value is Value,
  value: unknown,
): value is Value | undefined {
  return value === undefined || is(value);
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTime(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime());
}

/**
 * The conditions for allocation: device counts, health, overrides and causes of moves. One query reads all of them. Rows
 * that are damaged or of a newer package are left out, because decisions must not wait for them.
 */
export class ConditionsStore {
  readonly #table: Table;
  readonly #statistics: StoredDocuments<Statistics>;
  readonly #overrides: StoredDocuments<StoredOverride>;
  readonly #causes: StoredDocuments<StoredCause>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#statistics = new StoredDocuments(STATISTICS_FORMAT, onNewer, PLAIN);
    this.#overrides = new StoredDocuments(OVERRIDE_FORMAT, onNewer, PLAIN);
    this.#causes = new StoredDocuments(CAUSE_FORMAT, onNewer, PLAIN);
  }

  async read(now: EpochMs): Promise<Conditions> {
    const rows = await this.#table.list({ partitionKey: CONDITIONS_PARTITION });
    const hubs = new Map<HostName, HubConditions>();
    const causes = new Map<string, EpochMs>();
    for (const row of rows) {
      const [kind, ...rest] = row.rowKey.split('|');
      const name = rest.join('|');
      const host = name as HostName;
      if (kind === 'hub') hubs.set(host, { ...hubs.get(host), ...this.#statisticsIn(row) });
      if (kind === 'override') {
        const [part = '', hub = ''] = rest;
        const known = hubs.get(hub as HostName);
        const overrides = { ...known?.overrides, ...this.#overrideIn(part, row) };
        hubs.set(hub as HostName, { ...known, overrides });
      }
      const cause = kind === 'cause' ? this.#causes.read(row, row.rowKey) : undefined;
      if (cause?.kind === 'known') causes.set(name, epochMsOf(cause.value.since));
    }
    return { loadedAt: now, hubs, causes };
  }

  /**
   * Sets the overrides of a hub. Each part replaces the earlier override of that part.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has set one
   */
  async setOverrides(host: HostName, overrides: Overrides): Promise<void> {
    for (const part of OVERRIDABLE) {
      const override = overrides[part];
      if (override === undefined) continue;
      const { value, author, reason, expiresAt } = override;
      const document = { value: String(value), author, reason, expiresAt: new Date(expiresAt) };
      const key = `override|${part}|${host}`;
      await this.#table.update(CONDITIONS_PARTITION, key, (row) => {
        this.#refuseNewer(row);
        return { put: this.#overrides.columns(document), result: undefined };
      });
    }
  }

  /** @throws as `setOverrides` */
  async clearOverrides(host: HostName): Promise<void> {
    const keys = OVERRIDABLE.map((part) => `override|${part}|${host}`);
    for (const key of keys) this.#refuseNewer(await this.#table.get(CONDITIONS_PARTITION, key));
    for (const key of keys) await this.#table.delete(CONDITIONS_PARTITION, key);
  }

  /** Stores the result of a successful statistics call. */
  async recordCount(host: HostName, devices: number, now: EpochMs): Promise<void> {
    await this.#record(host, () => ({ devices, countedAt: new Date(now), failures: 0 }));
  }

  /** Counts a failed statistics call that makes the hub unhealthy. The last device count stays. */
  async recordFailure(host: HostName): Promise<void> {
    await this.#record(host, (before) => ({ ...before, failures: (before?.failures ?? 0) + 1 }));
  }

  /** Stores when new causes of moves were first seen, and removes those that are over. */
  async recordCauses(current: readonly string[], known: Conditions, now: EpochMs): Promise<void> {
    for (const cause of current) {
      if (known.causes.has(cause)) continue;
      await this.#table.update(CONDITIONS_PARTITION, `cause|${cause}`, (row) => {
        const isKept = row !== undefined && this.#causes.read(row, row.rowKey).kind !== 'damaged';
        return {
          put: isKept ? 'unchanged' : this.#causes.columns({ since: new Date(now) }),
          result: undefined,
        };
      });
    }
    for (const cause of known.causes.keys()) {
      if (!current.includes(cause)) await this.#table.delete(CONDITIONS_PARTITION, `cause|${cause}`);
    }
  }

  async #record(host: HostName, change: (before: Statistics | undefined) => Statistics): Promise<void> {
    await this.#table.update(CONDITIONS_PARTITION, `hub|${host}`, (row) => {
      const read = row === undefined ? undefined : this.#statistics.read(row, row.rowKey);
      if (read?.kind === 'newer') return { put: 'unchanged', result: undefined };
      const before = read?.kind === 'known' ? read.value : undefined;
      return { put: this.#statistics.columns(change(before)), result: undefined };
    });
  }

  #statisticsIn(row: Row): HubConditions {
    const read = this.#statistics.read(row, row.rowKey);
    if (read.kind !== 'known') return {};
    const { devices, countedAt, failures } = read.value;
    if (devices === undefined || countedAt === undefined) return { failures };
    return { devices: { count: devices, countedAt: epochMsOf(countedAt) }, failures };
  }

  #overrideIn(part: string, row: Row): Overrides {
    const read = this.#overrides.read(row, row.rowKey);
    return read.kind === 'known' ? overrideOf(part, read.value) : {};
  }

  #refuseNewer(row: Row | undefined): void {
    const met = row === undefined ? undefined : this.#overrides.newerIn(row, row.rowKey);
    if (met !== undefined) throw new NewerFormatError(met);
  }
}

const OVERRIDABLE = ['state', 'weight'] as const;

/** Empty if the value cannot be used. */
function overrideOf(part: string, { value, author, reason, expiresAt }: StoredOverride): Overrides {
  const set = { author, reason, expiresAt: epochMsOf(expiresAt) };
  const state = HUB_STATES.find((each) => each === value);
  const weight = Number(value);
  if (part === 'state' && state !== undefined) return { state: { value: state, ...set } };
  return part === 'weight' && weight > 0 ? { weight: { value: weight, ...set } } : {};
}
