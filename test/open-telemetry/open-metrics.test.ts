import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { addCountsTo, METRICS } from '../../src/metrics/metrics.ts';
import { noCounts } from '../../src/metrics/sync-counters.ts';
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

  test('are all in docs/operations.md, with their units', () => {
    const page = readFileSync('docs/operations.md', 'utf8');
    const rows = [...page.matchAll(/^\| `(berth\.[\w.]+)` \| (\w+), `([^`]+)` \|/gm)].map(
      ([, name, kind, unit]) => [name, kind, unit],
    );

    expect(rows).toEqual(Object.entries(METRICS).map(([name, { kind, unit }]) => [name, kind, unit]));
  });
});

describe('the Functions host', () => {
  test('keeps its telemetry mode, so that receipts and alerts stay on logs', () => {
    expect(JSON.parse(readFileSync('host.json', 'utf8'))).not.toHaveProperty('telemetryMode');
  });
});
