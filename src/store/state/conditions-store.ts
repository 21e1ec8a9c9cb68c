import type { Conditions, HubConditions, Overrides } from '../../allocation/conditions.ts';
import { HUB_STATES } from '../../fleet/hub-state.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { Row, Table } from '../tables/tables.ts';

const PARTITION = 'conditions';

/**
 * What allocation needs to know of the running fleet: counts, health, overrides, causes of moves. One query
 * reads all of it.
 */
export class ConditionsStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async read(now: number): Promise<Conditions> {
    const rows = await this.#table.list({ partitionKey: PARTITION });
    const hubs = new Map<HostName, HubConditions>();
    const causes = new Map<string, number>();
    for (const row of rows) {
      const [kind, ...rest] = row.rowKey.split('|');
      const name = rest.join('|');
      const host = name as HostName;
      if (kind === 'hub') hubs.set(host, { ...hubs.get(host), ...statisticsOf(row) });
      if (kind === 'override') {
        const [part = '', hub = ''] = rest;
        const known = hubs.get(hub as HostName);
        const overrides = { ...known?.overrides, ...overrideOf(part, row) };
        hubs.set(hub as HostName, { ...known, overrides });
      }
      if (kind === 'cause') causes.set(name, timeOf(row.properties.since) ?? now);
    }
    return { loadedAt: now, hubs, causes };
  }

  /** Sets what an operator wants of a hub; each part takes the place of what was set of it before. */
  async setOverrides(host: HostName, overrides: Overrides): Promise<void> {
    for (const part of OVERRIDABLE) {
      const override = overrides[part];
      if (override === undefined) continue;
      const { value, author, reason, expiresAt } = override;
      // As a text, since a whole number would be stored as another type than a fraction.
      const properties = { value: String(value), author, reason, expiresAt: new Date(expiresAt) };
      await this.#table.put(PARTITION, `override|${part}|${host}`, properties);
    }
  }

  async clearOverrides(host: HostName): Promise<void> {
    for (const part of OVERRIDABLE) await this.#table.delete(PARTITION, `override|${part}|${host}`);
  }

  /** Records a successful statistics call. */
  async recordCount(host: HostName, devices: number, now: number): Promise<void> {
    await this.#table.put(PARTITION, `hub|${host}`, { devices, countedAt: new Date(now), failures: 0 });
  }

  /** Records a failed statistics call that says something about the hub's health; the last count stays. */
  async recordFailure(host: HostName): Promise<void> {
    const key = `hub|${host}`;
    const row = await this.#table.get(PARTITION, key);
    const { devices, countedAt, failures } = row?.properties ?? {};
    await this.#table.putIfUnchanged(
      PARTITION,
      key,
      {
        ...(devices === undefined ? {} : { devices, countedAt }),
        failures: Number(failures ?? 0) + 1,
      },
      row?.etag,
    );
  }

  /** Records when causes of moves were first seen, and forgets those that are over. */
  async recordCauses(current: readonly string[], known: Conditions, now: number): Promise<void> {
    for (const cause of current) {
      if (known.causes.has(cause)) continue;
      await this.#table.putIfUnchanged(PARTITION, `cause|${cause}`, { since: new Date(now) }, undefined);
    }
    for (const cause of known.causes.keys()) {
      if (!current.includes(cause)) await this.#table.delete(PARTITION, `cause|${cause}`);
    }
  }
}

function statisticsOf({ properties }: Row): HubConditions {
  const countedAt = timeOf(properties.countedAt);
  return {
    ...(countedAt === undefined ? {} : { devices: { count: Number(properties.devices), countedAt } }),
    failures: Number(properties.failures ?? 0),
  };
}

const OVERRIDABLE = ['state', 'weight'] as const;

/** Nothing for a row that cannot be used. */
function overrideOf(part: string, { properties }: Row): Overrides {
  const set = {
    author: String(properties.author ?? ''),
    reason: String(properties.reason ?? ''),
    expiresAt: timeOf(properties.expiresAt) ?? 0,
  };
  const state = HUB_STATES.find((each) => each === properties.value);
  const weight = Number(properties.value);
  if (part === 'state' && state !== undefined) return { state: { value: state, ...set } };
  return part === 'weight' && weight > 0 ? { weight: { value: weight, ...set } } : {};
}

function timeOf(value: unknown): number | undefined {
  return value instanceof Date ? value.getTime() : undefined;
}
