import { beforeEach, describe, expect, test } from '@jest/globals';
import { type HostName, hostName } from '../../src/iot-hub/host-name.ts';
import { presentFormat } from '../../src/json/document-format.ts';
import { BUCKET_NAMES, type Bucket } from '../../src/store/tables/keys.ts';
import type { MetNewerFormat } from '../../src/store/tables/newer-format.ts';
import { openTables, type Row, type Table, type Tables } from '../../src/store/tables/tables.ts';
import { COUNTS_FORMAT, stageKey, TwinCountStore } from '../../src/store/twins/twin-count-store.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { type Instant, NEVER } from '../../src/time/instant.ts';
import { POLICY_STATUSES, type PolicyStatus } from '../../src/twin/snapshot/snapshot.ts';
import { storageAccount } from '../support/storage-account.ts';
import { T0 } from '../twin/twins.ts';

/* The rows of the counts of twins in the state table. */

/** The most policies of a fleet file, and the most stages of a rollout. */
const [POLICIES, STAGES] = [200, 20];
/** Azure Table storage data model. */
const [TEXT_CHARACTERS, BINARY_BYTES] = [32 * 1024, 64 * 1024];
const [BUCKET = '0' as Bucket] = BUCKET_NAMES;

let tables: Tables;
let host: HostName;
let hosts = 0;
beforeEach(async () => {
  const connectionString = await storageAccount();
  tables = openTables({ kind: 'connectionString', connectionString });
  hosts += 1;
  host = hostName(`counts-${hosts}.azure-devices.net`);
});

const id = (policy: number) => (policy * 2_654_435_761).toString(16).padStart(12, '0').slice(0, 12);

/** One twin for each stage and status. Each of them has all policies. */
function twinRows(policies: number, stages: number): readonly Row[] {
  return Array.from({ length: stages * POLICY_STATUSES.length }, (_, twin) => {
    const status = POLICY_STATUSES[twin % POLICY_STATUSES.length] as PolicyStatus;
    const stage = `stage-${Math.floor(twin / POLICY_STATUSES.length)}`;
    const column = Array.from({ length: policies }, (_, policy) => `${id(policy)}:${status}:${stage}`);
    return {
      partitionKey: `${host}|${BUCKET}`,
      rowKey: `s|twin-${twin}`,
      etag: '',
      properties: { status: 'inSync', policies: column.join(',') },
    };
  });
}

/** Counts these twins in one bucket, and stores the counts. */
async function count(rows: readonly Row[], { hubs = [host], met = [] as MetNewerFormat[] } = {}) {
  const twins = {
    listIfSmall: async () => undefined,
    async *scan() {
      yield rows;
    },
  } as unknown as Table;
  const store = new TwinCountStore(twins, tables.state, (each) => void met.push(each));
  const before = new Map<HostName, Instant>(hubs.map((each) => [each, NEVER]));
  await store.count(
    [BUCKET],
    () => T0,
    before,
    () => true,
  );
  return store;
}
const storedRow = () => tables.state.get('twin-counts', `${host}|${BUCKET}`);

describe('the counts of twins', () => {
  test('are stored and read for the most policies and stages that a fleet file can have', async () => {
    const store = await count(twinRows(POLICIES, STAGES));

    const { policies } = await store.of(host);
    expect(Object.keys(policies)).toHaveLength(POLICIES * (STAGES + 1));
    expect(policies[stageKey(id(7), 'stage-3')]).toEqual(
      Object.fromEntries(POLICY_STATUSES.map((status) => [status, 1])),
    );
    for (const value of Object.values((await storedRow())?.properties ?? {})) {
      if (typeof value === 'string') expect(value.length).toBeLessThanOrEqual(TEXT_CHARACTERS);
      if (value instanceof Uint8Array) expect(value.byteLength).toBeLessThanOrEqual(BINARY_BYTES);
    }
  });

  test('of many hubs are stored in transactions that are small enough', async () => {
    const hubs = Array.from({ length: 70 }, (_, index) => hostName(`many-${index}.azure-devices.net`));
    const rows = hubs.flatMap((each) =>
      twinRows(100, 3).map((row) => ({ ...row, partitionKey: `${each}|${BUCKET}` })),
    );
    const store = await count(rows, { hubs });

    const counted = await store.read(hubs);
    for (const each of hubs) expect(Object.keys(counted.get(each)?.policies ?? {})).toHaveLength(100 * 4);
  });

  test('are read from rows of the first format', async () => {
    const countedAt = new Date(T0);
    const columns = {
      inSync: 3,
      rejected: 1,
      policies: '{"p":{"inSync":3}}',
      edge: '{"":{"inSync":2}}',
      countedAt,
    };
    for (const bucket of BUCKET_NAMES) await tables.state.put('twin-counts', `${host}|${bucket}`, columns);
    const buckets = BUCKET_NAMES.length;

    expect(await new TwinCountStore(tables.twins, tables.state).of(host)).toMatchObject({
      statuses: { inSync: 3 * buckets, rejected: buckets, pending: 0 },
      policies: { p: { inSync: 3 * buckets } },
      edge: { '': { inSync: 2 * buckets } },
      countedAt: T0,
    });
  });

  test('have the number of their format in a column', async () => {
    await count([]);

    expect((await storedRow())?.properties.format).toBe(presentFormat(COUNTS_FORMAT));
  });

  test.each([
    ['damaged', presentFormat(COUNTS_FORMAT), 0],
    ['of a newer package', 99, 1],
  ])(
    'of a bucket whose row is %s are not known, and the next count stores them',
    async (_, format, times) => {
      const at = new Date(plus(T0, -1));
      for (const bucket of BUCKET_NAMES) {
        const row = { inSync: 1, policies: '{}', edge: '{}', countedAt: at };
        await tables.state.put('twin-counts', `${host}|${bucket}`, row);
      }
      await tables.state.put('twin-counts', `${host}|${BUCKET}`, { format, doc0: new Uint8Array([1]) });
      const met: MetNewerFormat[] = [];
      const store = new TwinCountStore(tables.twins, tables.state, (each) => void met.push(each));

      expect(await store.of(host)).toMatchObject({
        statuses: { inSync: BUCKET_NAMES.length - 1 },
        countedAt: undefined,
      });
      expect(met).toHaveLength(times);
      expect((await (await count(twinRows(1, 1))).of(host)).countedAt).toBe(at.getTime());
    },
  );
});
