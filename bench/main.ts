import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Bench } from 'tinybench';
import { type Conditions, NO_CONDITIONS } from '../src/allocation/conditions.ts';
import { answerOf } from '../src/allocation/decision/answer.ts';
import { decide } from '../src/allocation/decision/decide.ts';
import { receiptOf } from '../src/allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../src/allocation/request/request.ts';
import { readRequestBody } from '../src/allocation/request/request-body.ts';
import { bestOf, scoreHubs } from '../src/allocation/score/placement.ts';
import { parseFleet } from '../src/fleet/file/parse.ts';
import type { Fleet } from '../src/fleet/fleet.ts';
import table from '../src/regions/azure-regions.json' with { type: 'json' };
import { EPOCH } from '../src/time/epoch-ms.ts';
import { convergedTwin } from './converged-twin.ts';
import { loadTimes } from './load-time.ts';
import { cpuOf, worstRequests } from './worst-request.ts';

// Measures the hot paths on one core, each next to a baseline: the smallest work that it must contain. It does not
// measure tables, hubs and the network, which take much longer.

const fleet = fleetIn(readFileSync('fleet.json', 'utf8'));
const hosts = fleet.hubs.map(({ host }) => host);
const [hub] = fleet.hubs;
if (hub === undefined) throw new Error('no hub');

/** A captured request of DPS (concepts-custom-allocation, 2022-09). */
const request = {
  enrollmentGroup: {
    enrollmentGroupId: 'contoso-custom-allocated-devices',
    attestation: { type: 'symmetricKey' },
    capabilities: { iotEdge: false },
    etag: '"13003fea-0000-0300-0000-62d1d5e50000"',
    provisioningStatus: 'enabled',
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
    createdDateTimeUtc: '2022-07-05T21:27:16.8123235Z',
    lastUpdatedDateTimeUtc: '2022-07-15T21:02:29.5922255Z',
    allocationPolicy: 'custom',
    iotHubs: hosts,
    customAllocationDefinition: {
      webhookUrl: 'https://custom-allocation-function-app-3.azurewebsites.net/api/HttpTrigger1?****',
      apiVersion: '2021-10-01',
    },
  },
  deviceRuntimeContext: {
    registrationId: 'sim-0001',
    symmetricKey: {},
    payload: { site: 'amsterdam', country: 'NL', model: 'pump-2' },
  },
  linkedHubs: hosts,
};
const body = Buffer.from(JSON.stringify(request));
const decideInput = {
  request: parseAllocationRequest(request),
  fleet,
  conditions: NO_CONDITIONS,
  now: EPOCH,
};
const answer = answerOf(hub.host, decide(decideInput));

/** A fleet with the most hubs that DPS can link (DPS limits), and with all inputs of the allocation. */
const fifty = fiftyHubs();

const twin = convergedTwin(6);
const twinOfFifty = convergedTwin(50);
const plannedTwin = convergedTwin(6, true);
const plannedTwinOfFifty = convergedTwin(50, true);
const reports = convergedTwin(6);

const bench = new Bench({ time: 500 });
bench
  .add('SHA-256 of an id', () => createHash('sha256').update('sim-0001').digest())
  .add('placement among 4 hubs', () => bestOf(scoreHubs('sim-0001', '', fleet.hubs)))
  .add('placement among 50 hubs', () => bestOf(scoreHubs('sim-0001', '', fifty.fleet.hubs)))
  .add('decide and its receipt, among 50 hubs, by regions', () => {
    receiptOf(fifty.byRegion, decide(fifty.byRegion));
  })
  .add('decide and its receipt, among 50 hubs, measured', () => {
    receiptOf(fifty.measured, decide(fifty.measured));
  })
  .add('JSON.parse of the request, JSON.stringify of the answer', () => {
    JSON.parse(body.toString());
    JSON.stringify(answer);
  })
  .add('webhook: request in to answer out', () => {
    const input = { ...decideInput, request: parseAllocationRequest(readRequestBody(body)) };
    const decision = decide(input);
    JSON.stringify(answerOf(hub.host, decision));
  })
  .add('the same with its receipt', () => {
    const input = { ...decideInput, request: parseAllocationRequest(readRequestBody(body)) };
    const decision = decide(input);
    JSON.stringify(answerOf(hub.host, decision));
    JSON.stringify(receiptOf(input, decision));
  })
  .add('JSON.parse of an event', () => {
    JSON.parse(reports.nextBody().toString());
  })
  .add('sync: a converged event, decode to settle', () => {
    twin.take();
  })
  .add('sync: a converged event, decode to settle, of 50 policies', () => {
    twinOfFifty.take();
  })
  .add('sync: the same with a plan', () => {
    plannedTwin.take();
  })
  .add('sync: the same with a plan, of 50 policies', () => {
    plannedTwinOfFifty.take();
  });
await bench.run();

/** Required operations in each second on one core. */
const TARGETS: Readonly<Record<string, number>> = {
  'placement among 50 hubs': 150_000,
  'decide and its receipt, among 50 hubs, by regions': 30_000,
  'sync: a converged event, decode to settle': 20_000,
};
/** Longest time of a path, as a multiple of its baseline. A receipt is a further document, so it has its own row. */
const RATIOS: Readonly<Record<string, number>> = {
  'webhook: request in to answer out': 4,
  'sync: a converged event, decode to settle': 4,
  'sync: a converged event, decode to settle, of 50 policies': 8,
};

/** The baseline of each path. */
const BASELINES: Readonly<Record<string, string>> = {
  'placement among 4 hubs': 'SHA-256 of an id',
  'placement among 50 hubs': 'SHA-256 of an id',
  'webhook: request in to answer out': 'JSON.parse of the request, JSON.stringify of the answer',
  'the same with its receipt': 'JSON.parse of the request, JSON.stringify of the answer',
  'sync: a converged event, decode to settle': 'JSON.parse of an event',
  'sync: a converged event, decode to settle, of 50 policies': 'JSON.parse of an event',
  'sync: the same with a plan': 'JSON.parse of an event',
  'sync: the same with a plan, of 50 policies': 'JSON.parse of an event',
};
const perSecond = new Map(
  bench.tasks.map(
    ({ name, result }) =>
      ['throughput' in result ? name : '', 'throughput' in result ? result.throughput.mean : 0] as const,
  ),
);
console.table(
  bench.tasks.map(({ name }) => {
    const baseline = perSecond.get(BASELINES[name] ?? '');
    const rate = perSecond.get(name) ?? 0;
    const target = TARGETS[name];
    const ratio = RATIOS[name];
    return {
      path: name,
      'per second': Math.round(rate),
      'times its baseline': baseline === undefined ? '' : Number((baseline / rate).toFixed(1)),
      target: [
        ...(target === undefined ? [] : [`${target} a second`]),
        ...(ratio === undefined ? [] : [`${ratio} times`]),
      ].join(', '),
    };
  }),
);

// CPU time of the most expensive known requests of a device, with their receipts.
console.table(
  worstRequests().map((worst) => {
    const { steps, ms } = cpuOf(worst);
    return { 'worst request': worst.name, steps, 'ms of CPU': Number(ms.toFixed(1)), target: 'at most 20' };
  }),
);
console.table(
  loadTimes().map(({ file, ms, msOfTwice }) => ({
    'fleet file': file,
    'ms of CPU': Math.round(ms),
    'with twice the leaves': Math.round(msOfTwice),
    ratio: Number((msOfTwice / ms).toFixed(1)),
    target: 'about 2',
  })),
);

function fleetIn(text: string): Fleet {
  const parsed = parseFleet(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}

function fiftyHubs() {
  const regions = Object.keys(table.coordinates).slice(0, 50);
  const wide = fleetIn(
    JSON.stringify({
      hubs: regions.map((region, index) => ({
        host: `hub-${index}.azure-devices.net`,
        region,
        tier: 'S1',
        weight: 1 + (index % 5),
        labels: { residency: index % 2 === 0 ? 'eu' : 'us' },
      })),
      allocation: {
        latency: { halfLifeMs: 25 },
        load: { epsilon: 0.05 },
        sticky: { moveWhenFasterByMs: 40 },
        rules: [{ name: 'eu', when: "payload.country in ['DE', 'FR']", require: { residency: 'eu' } }],
      },
    }),
  );
  const conditions: Conditions = {
    loadedAt: EPOCH,
    hubs: new Map(
      wide.hubs.map(({ host }) => [host, { devices: { count: 100, countedAt: EPOCH }, failures: 0 }]),
    ),
    causes: new Map(),
  };
  const inputWith = (payload: object) => ({
    request: parseAllocationRequest({
      ...request,
      enrollmentGroup: { ...request.enrollmentGroup, iotHubs: [] },
      deviceRuntimeContext: { ...request.deviceRuntimeContext, payload },
      linkedHubs: wide.hubs.map(({ host }) => host),
    }),
    fleet: wide,
    conditions,
    now: EPOCH,
  });
  const near = Object.fromEntries(wide.hubs.slice(0, 5).map(({ host }, index) => [host, 10 + index]));
  return {
    fleet: wide,
    byRegion: inputWith({ country: 'US', region: 'westeurope' }),
    measured: inputWith({ country: 'US', region: 'westeurope', latency: near }),
  };
}
