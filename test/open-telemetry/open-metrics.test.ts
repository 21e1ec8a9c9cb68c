import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { addCountsTo, METRICS } from '../../src/metrics/metrics.ts';
import { noCounts } from '../../src/metrics/sync-counters.ts';
import { openMetrics } from '../../src/open-telemetry/open-metrics.ts';
import { TWIN_STATUSES } from '../../src/twin/snapshot/snapshot.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Receiver, startReceiver } from './receiver.ts';

const KEY = '00000000-0000-0000-0000-000000000001';

let program: string;
let receiver: Receiver;
let secure: Receiver;
beforeAll(async () => {
  receiver = await startReceiver(false);
  secure = await startReceiver(true);
  program = join(temporaryFolder('metrics'), 'measure.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'measure.ts')],
    // As in the package: everything is inside.
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile: program,
    logLevel: 'warning',
  });
});

afterAll(() => {
  receiver.close();
  secure.close();
});

/** Runs `measure.ts` with these settings. Returns its warnings. */
async function measure(env: Readonly<Record<string, string>>): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    // Without the statistics that the exporter sends to Microsoft.
    env: { PATH: process.env.PATH, APPLICATIONINSIGHTS_STATSBEAT_DISABLED: 'true', ...env },
  });
  return JSON.parse(stdout);
}

interface Point {
  readonly asInt?: number;
  readonly asDouble?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}
interface OtlpBody {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: Point['attributes'] };
    readonly scopeMetrics: readonly {
      readonly metrics: readonly ({ readonly name: string; readonly unit: string } & Record<
        string,
        { readonly dataPoints: readonly Point[] }
      >)[];
    }[];
  }[];
}

const attributesOf = (attributes: Point['attributes']) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));

describe('metrics', () => {
  test('reach an OTLP receiver with their units, attributes and resource', async () => {
    expect(await measure({ BERTH_METRICS: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })).toEqual([]);

    expect(receiver.requests).toHaveLength(1);
    const { path, body } = receiver.requests[0] ?? { path: '', body: {} };
    expect(path).toBe('/v1/metrics');
    const [sent] = (body as OtlpBody).resourceMetrics;
    expect(attributesOf(sent?.resource.attributes ?? [])).toMatchObject({
      'service.name': 'berth',
      'service.version': '2026-11-29T00:00:00Z',
      'service.namespace': 'eu',
    });
    const found = (sent?.scopeMetrics[0]?.metrics ?? []).map(({ name, unit, sum, histogram, gauge }) => {
      const [point, ...more] = (sum ?? histogram ?? gauge)?.dataPoints ?? [];
      return [
        name,
        unit,
        point?.asDouble ?? point?.asInt ?? point?.sum,
        attributesOf(point?.attributes ?? []),
        more,
      ];
    });
    expect(found).toEqual([
      ['berth.allocations', '{registration}', 3, { result: 'assigned', hub: 'weu', how: 'placed' }, []],
      ['berth.correction.time', 's', 1.5, { hub: 'weu' }, []],
      // The gauge of the hub that is gone is not sent again.
      ['berth.queue.age', 's', 12, { hub: 'weu' }, []],
    ]);
  });

  test('reach Azure Monitor as custom metrics', async () => {
    const root = join(temporaryFolder('root'), 'root.pem');
    writeFileSync(root, secure.root ?? '');
    const warnings = await measure({
      BERTH_METRICS: 'azureMonitor',
      APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=${KEY};IngestionEndpoint=${secure.url}/`,
      NODE_EXTRA_CA_CERTS: root,
    });

    expect(warnings).toEqual([]);
    const sent = secure.requests.flatMap(({ path, body }) => {
      expect(path).toMatch(/\/track$/);
      return body as {
        readonly data: { readonly baseType: string; readonly baseData: { readonly metrics: unknown[] } };
      }[];
    });
    const names = sent.flatMap(({ data }) => {
      expect(data.baseType).toBe('MetricData');
      return data.baseData.metrics.map((each) => (each as { readonly name: string }).name);
    });
    expect(names.sort()).toEqual(['berth.allocations', 'berth.correction.time', 'berth.queue.age']);
  });

  test('that a receiver refuses are logged with a code, once, without what was sent', async () => {
    receiver.status = 400;

    expect(await measure({ BERTH_METRICS: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })).toEqual([
      { code: 'BERTH_METRICS_NOT_SENT', message: expect.stringContaining('did not take them (400)') },
    ]);
  });

  test('of sync are the counts of a minute, without those that are zero', () => {
    const added: unknown[] = [];
    addCountsTo(
      { add: (...each) => added.push(each), record: () => {}, set: () => {}, close: async () => {} },
      'weu',
      { ...noCounts(), merged: 3, writes: 2, lagMs: 1_500, sampled: 7 },
    );

    expect(added).toEqual([
      ['berth.events', 3, { hub: 'weu', result: 'merged' }],
      ['berth.hub.calls', 2, { hub: 'weu', call: 'writes' }],
      ['berth.event.wait', 1.5, { hub: 'weu' }],
    ]);
  });

  test('have the bounds of their buckets in docs/operations.md', () => {
    const page = readFileSync('docs/operations.md', 'utf8');
    const rows = [...page.matchAll(/^\| `(berth\.[\w.]+)` \| ([\d., ]+) \|$/gm)].map(
      ([, name, bounds = '']) => [name, bounds.split(',').map(Number)],
    );

    const histograms = Object.entries(METRICS).flatMap(([name, metric]) =>
      metric.kind === 'histogram' ? [[name, metric.bounds]] : [],
    );
    expect(rows).toEqual(histograms);
  });

  test('are all in docs/operations.md, with their units', () => {
    const page = readFileSync('docs/operations.md', 'utf8');
    const rows = [...page.matchAll(/^\| `(berth\.[\w.]+)` \| (\w+), `([^`]+)` \|/gm)].map(
      ([, name, kind, unit]) => [name, kind, unit],
    );

    expect(rows).toEqual(Object.entries(METRICS).map(([name, { kind, unit }]) => [name, kind, unit]));
  });
});

describe('metrics that are sent again and again', () => {
  type Opened = Awaited<ReturnType<typeof openMetrics>>;
  let clock = 0;
  let metrics: Opened;
  let own: Receiver;
  beforeEach(async () => {
    clock = 0;
    own = await startReceiver(false);
    const options = { build: 'b', stamp: undefined, warn: () => {}, everyMs: 30, now: () => clock };
    metrics = await openMetrics({ kind: 'otlp', url: `${own.url}/v1/metrics` }, options);
    // A counter is sent each time, so that there is always a request.
    metrics.add('berth.allocations', 1, { result: 'assigned' });
  });
  afterEach(async () => {
    await metrics.close();
    own.close();
  });
  /** The points of a metric in the request after the next one, which was collected after this call. */
  const nextPoints = async (name: string): Promise<readonly Point[]> => {
    const seen = own.requests.length;
    await eventually(() => own.requests.length >= seen + 2);
    const { body } = own.requests.at(-1) ?? {};
    const sent = (body as OtlpBody).resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
    const metric = sent.find((each) => each.name === name);
    return (metric?.gauge ?? metric?.histogram)?.dataPoints ?? [];
  };
  const age = (value: number, hub = 'weu') =>
    ({ name: 'berth.queue.age', value, attributes: { hub } }) as const;

  test('send a gauge for three minutes after it was set, and then no more until it is set again', async () => {
    metrics.set([age(12)]);
    clock += 170_000;
    expect(await nextPoints('berth.queue.age')).toMatchObject([{ asDouble: 12 }]);

    clock += 20_000;
    expect(await nextPoints('berth.queue.age')).toEqual([]);

    metrics.set([age(7)]);
    expect(await nextPoints('berth.queue.age')).toMatchObject([{ asDouble: 7 }]);
  });

  test('do not send the gauge of a hub that is gone', async () => {
    metrics.set([age(1, 'weu'), age(2, 'gone')]);
    expect(await nextPoints('berth.queue.age')).toHaveLength(2);

    metrics.set([age(3, 'weu')]);

    expect(await nextPoints('berth.queue.age')).toMatchObject([{ asDouble: 3 }]);
  });

  test('have a series for each status of five hundred hubs', async () => {
    const hubs = Array.from({ length: 500 }, (_, index) => `hub-${index}`);
    metrics.set(
      hubs.flatMap((hub) =>
        TWIN_STATUSES.map((status) => ({
          name: 'berth.twins' as const,
          value: 1,
          attributes: { hub, status },
        })),
      ),
    );

    expect(await nextPoints('berth.twins')).toHaveLength(500 * TWIN_STATUSES.length);
  });

  test.each(Object.entries(METRICS).filter(([, { kind }]) => kind === 'histogram'))(
    'have buckets that tell values in seconds apart: %s',
    async (name) => {
      for (const seconds of [0.7, 2, 4, 45, 1_000])
        metrics.record(name as 'berth.correction.time', seconds, {});

      const [point] = await nextPoints(name);

      expect(point?.bucketCounts?.filter((count) => count > 0)).toEqual([1, 1, 1, 1, 1]);
      expect(point?.explicitBounds).toEqual(
        (METRICS as Readonly<Record<string, object>>)[name]?.['bounds' as never],
      );
    },
  );
});

describe('the Functions host', () => {
  test('keeps its telemetry mode, so that receipts and alerts stay on logs', () => {
    expect(JSON.parse(readFileSync('host.json', 'utf8'))).not.toHaveProperty('telemetryMode');
  });
});
