import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { berth } from '../../src/cli/berth.ts';
import { tryBuckets } from '../../src/cli/what-if/twin-buckets.ts';
import type { TwinReader } from '../../src/cli/what-if/twin-reader.ts';
import { errorOf, failureOf, startTwinThread } from '../../src/cli/what-if/twin-thread.ts';
import { controlSchema } from '../../src/control/control.ts';
import { BerthError } from '../../src/errors.ts';
import { stateAccount } from '../../src/settings/settings.ts';
import { BUCKET_NAMES, type Bucket, bucketOf } from '../../src/store/tables/keys.ts';
import { openTables, type Tables } from '../../src/store/tables/tables.ts';
import { snapshotAction } from '../../src/store/twins/twin-rows.ts';
import { openTwinTrial, type TwinJob } from '../../src/what-if/twin-job.ts';
import { twinReportOf } from '../../src/what-if/twin-report.ts';
import { listen, NOW } from '../cli/terminals.ts';
import { storageAccount } from '../support/storage-account.ts';
import { ID, snapshotOf } from '../twin/twins.ts';
import { type Bundles, copyBundles } from './bundles.ts';

/** So many that the command starts another thread. */
const TWINS = 4_000;
const DEVICES = Array.from({ length: TWINS }, (_, number) => `pump-${number}`);
/** Rows in one transaction. */
const ROWS = 100;

let bundles: Bundles;
let settings: { readonly AzureWebJobsStorage: string };
let tables: Tables;
let fleet: string;

beforeAll(async () => {
  bundles = await copyBundles();
  settings = { AzureWebJobsStorage: await storageAccount() };
  tables = openTables(stateAccount(settings));
  fleet = join(bundles.directory, 'tried.json');
  const policies = [
    { name: 'interval', when: 'reported.battery < 50', desired: { interval: 9 } },
    { name: 'large', when: "'note' in tags", desired: { note: '=tags.note' } },
  ];
  writeFileSync(
    fleet,
    JSON.stringify({ hubs: [{ host: ID.host, region: 'westeurope', tier: 'S1' }], twins: { policies } }),
  );
  for (const bucket of BUCKET_NAMES) {
    const ids = DEVICES.filter((deviceId) => bucketOf(deviceId) === bucket);
    for (let from = 0; from < ids.length; from += ROWS) {
      await tables.twins.transact(ids.slice(from, from + ROWS).map(rowOf));
    }
  }
}, 60_000);
afterAll(() => bundles.remove());

function rowOf(deviceId: string) {
  const number = Number(deviceId.slice('pump-'.length));
  const id = { ...ID, deviceId };
  const snapshot = snapshotOf({
    id,
    reported: { battery: number % 100 },
    ...(number % 50 === 0 && { tags: { note: 'x'.repeat(5_000) } }),
    ...(number % 7 === 0 && { etag: undefined }),
  });
  return snapshotAction(id, { kind: 'snapshot', snapshot }, undefined);
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command of the build, with its threads. */
async function withThreads(...args: readonly string[]): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [join(bundles.directory, 'berth.cjs'), 'what-if', '--twins', '--fleet', fleet, ...args],
    { cwd: bundles.directory, env: { ...process.env, ...settings } },
  );
  const [out, err] = [text(child.stdout), text(child.stderr)];
  const [code, signal] = (await once(child, 'exit')) as [Ended['code'], Ended['signal']];
  return { code, signal, out: await out, err: await err };
}

/** Runs the same command with one thread, the present one. */
async function withOneThread(...args: readonly string[]): Promise<string> {
  const said = listen(settings);
  const none = () => {
    throw new Error('one thread is enough');
  };
  await berth(said.cli, ['what-if', '--twins', '--fleet', fleet, ...args], {
    number: 1,
    start: none,
    startTwins: none,
  });
  return said.out();
}

describe('the threads of berth what-if --twins', () => {
  test('give the same report as one thread, byte for byte', async () => {
    const one = await withOneThread('--json', '--first', '50');
    const several = await withThreads('--json', '--first', '50');

    expect(several).toMatchObject({ code: 0, out: one });
    const report = JSON.parse(one);
    expect(report.twins.planned).toBe(TWINS);
    expect(report.writes.count).toBe(TWINS / 2);
    expect(report.policies[0].patches).toHaveLength(50);
    expect(report.policies[1].problems).toHaveLength(50);
  });

  test('fail with the error of one thread at a twin of a newer package', async () => {
    const deviceId = DEVICES.find((each) => bucketOf(each) === BUCKET_NAMES.at(-1)) ?? '';
    const [, row] = rowOf(deviceId);
    const newer = { ...row, format: 99 };
    await tables.twins.transact([['update', newer, 'Replace', { etag: '*' }]]);

    const several = await withThreads();
    const one = await withOneThread().catch((error: Error) => error.message);

    expect(one).toMatch(/^The snapshot of .* has format 99/);
    expect(several).toMatchObject({ code: 1, out: '', err: `${one} [BERTH_FORMAT_NEWER]\n` });
    await tables.twins.transact([['update', row, 'Replace', { etag: '*' }]]);
  });
});

describe('a thread that reads stored twins', () => {
  const control = controlSchema.parse({});
  const jobOf = (first: number): TwinJob => ({
    fleet: { text: readFileSync(fleet, 'utf8'), models: {} },
    against: undefined,
    stamp: undefined,
    control,
    now: NOW,
    first,
  });
  const start = (file = join(bundles.directory, 'what-if-twins-worker.cjs'), first = 2) =>
    startTwinThread(file, { job: jobOf(first), account: stateAccount(settings) });
  const script = (text: string): string => {
    const file = join(bundles.directory, `thread-${text.length}.cjs`);
    writeFileSync(file, text);
    return file;
  };
  const [bucket = '00' as Bucket] = BUCKET_NAMES;

  test('counts the twins of a bucket and says how far it is', async () => {
    const thread = start();
    const shown: number[] = [];

    const counts = await thread.tryBucket(bucket, (more) => shown.push(more));
    await thread.close();

    expect(counts.twins).toBe(DEVICES.filter((deviceId) => bucketOf(deviceId) === bucket).length);
    expect(shown.reduce((sum, more) => sum + more, 0)).toBe(counts.twins);
    expect(counts.policies.get('interval')?.patches).toHaveLength(2);
  });

  test('shares the buckets with another one, and both give the report of one', async () => {
    const [here, other] = [start(undefined, 50), start(undefined, 50)];
    const read: Bucket[] = [];
    const shared: TwinReader = {
      tryBucket: (each, onTwins) => {
        read.push(each);
        return other.tryBucket(each, onTwins);
      },
      close: other.close,
    };

    const tally = await tryBuckets({ here, number: 2, start: () => shared }, 50, () => {});
    await here.close();

    expect(read.length).toBeGreaterThan(0);
    const report = twinReportOf(tally, openTwinTrial(jobOf(50)), control);
    expect(`${JSON.stringify(report, null, 2)}\n`).toBe(await withOneThread('--json', '--first', '50'));
  });

  test.each([
    [
      'that ends while it reads',
      "require('node:worker_threads').parentPort.once('message', () => process.exit(0));",
      'A thread that reads stored twins has ended too early.',
    ],
    ['that cannot start', "throw new Error('no start');", 'no start'],
    [
      'with a defect while it reads',
      "require('node:worker_threads').parentPort.once('message', () => { throw new Error('a defect'); });",
      'a defect',
    ],
  ])('fails instead of waiting: a thread %s', async (_, code, message) => {
    const thread = start(script(code));

    await expect(thread.tryBucket(bucket, () => {})).rejects.toThrow(message);
    await expect(thread.tryBucket(bucket, () => {})).rejects.toThrow(message);
    await thread.close();
  });

  test('keeps code, message and details of its error', async () => {
    const error = new BerthError('BERTH_STORE_UNAVAILABLE', 'away', {
      details: [{ path: 'a', message: 'b' }],
    });
    const received = errorOf(structuredClone(failureOf(error)));

    expect(received).toBeInstanceOf(BerthError);
    expect(received).toMatchObject({
      code: error.code,
      kind: error.kind,
      message: 'away',
      details: error.details,
    });
    expect(errorOf(structuredClone(failureOf(new TypeError('a defect'))))).not.toBeInstanceOf(BerthError);
  });
});
