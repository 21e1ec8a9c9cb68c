import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Conditions, NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { answerOf } from '../../src/allocation/decision/answer.ts';
import { type DecideInput, decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { readRequestBody } from '../../src/allocation/request/request-body.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import table from '../../src/regions/azure-regions.json' with { type: 'json' };
import { EPOCH } from '../../src/time/epoch-ms.ts';
import type { Comparison } from '../measure.ts';
import { sampleWebhook } from './sample-webhook.ts';

/** What a registration costs, next to what people would use instead. */
export function registrationCases(): readonly Comparison[] {
  const fleet = fleetIn(readFileSync('fleet.json', 'utf8'));
  const hosts = fleet.hubs.map(({ host }) => host);
  const request = requestFor(hosts, { site: 'amsterdam', country: 'NL', model: 'pump-2' });
  const body = Buffer.from(JSON.stringify(request));
  const input = inputFor(fleet, request, NO_CONDITIONS);
  const decided = decide(input);
  if (decided.result.kind !== 'assigned') throw new Error(decided.result.message);
  const { hub } = decided.result;
  const answer = answerOf(hub, decided);

  const bare = () => {
    JSON.parse(body.toString());
    return JSON.stringify(answer);
  };
  const decideBody = (): [DecideInput, ReturnType<typeof decide>] => {
    const { conditions, now } = input;
    const read = { request: parseAllocationRequest(readRequestBody(body)), fleet, conditions, now };
    return [read, decide(read)];
  };
  const webhook = () => JSON.stringify(answerOf(hub, decideBody()[1]));
  const withReceipt = () => {
    const [read, decision] = decideBody();
    const receipt = JSON.stringify(receiptOf(read, decision));
    return [`{"event":"allocated","receipt":${receipt}}`, JSON.stringify(answerOf(hub, decision))];
  };
  const wide = fiftyHubs();
  const hashForEachHub = () => {
    const { deviceRuntimeContext, linkedHubs } = JSON.parse(body.toString()) as typeof request;
    let best = '';
    let host = '';
    for (const each of linkedHubs) {
      const score = createHash('sha256')
        .update(`${deviceRuntimeContext.registrationId}|${each}`)
        .digest('hex');
      if (score > best) [best, host] = [score, each];
    }
    return JSON.stringify({ iotHubHostName: host });
  };

  return [
    {
      name: 'webhook',
      what: 'webhook, 4 hubs / parse and answer the same bodies',
      subject: webhook,
      baseline: bare,
      goal: 2.5,
      showsRate: true,
    },
    {
      name: 'webhook-receipt',
      what: 'the same with receipt and log line / parse and answer',
      subject: withReceipt,
      baseline: bare,
      goal: 4,
      showsRate: true,
    },
    {
      name: 'webhook-sample',
      what: "webhook, 4 hubs / the logic of Microsoft's C# sample",
      subject: webhook,
      baseline: () => sampleWebhook(body.toString()),
    },
    {
      name: 'webhook-hash',
      what: 'webhook, 4 hubs / a hash for each hub',
      subject: webhook,
      baseline: hashForEachHub,
    },
    {
      name: 'decide-50-regions',
      what: 'decision and receipt, 50 hubs, by regions / parse and answer, 4 hubs',
      subject: () => receiptOf(wide.byRegion, decide(wide.byRegion)),
      baseline: bare,
      showsRate: true,
    },
    {
      name: 'decide-50-measured',
      what: 'decision and receipt, 50 hubs, measured / parse and answer, 4 hubs',
      subject: () => receiptOf(wide.measured, decide(wide.measured)),
      baseline: bare,
      showsRate: true,
    },
  ];
}

function fleetIn(text: string): Fleet {
  const parsed = parseFleet(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}

/** A request as in captures of DPS. */
function requestFor(hosts: readonly string[], payload: object, iotHubs: readonly string[] = hosts) {
  return {
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
      iotHubs,
      customAllocationDefinition: {
        webhookUrl: 'https://custom-allocation-function-app-3.azurewebsites.net/api/HttpTrigger1?****',
        apiVersion: '2021-10-01',
      },
    },
    deviceRuntimeContext: { registrationId: 'sim-0001', symmetricKey: {}, payload },
    linkedHubs: hosts,
  };
}

function inputFor(fleet: Fleet, request: object, conditions: Conditions): DecideInput {
  return { request: parseAllocationRequest(request), fleet, conditions, now: EPOCH };
}

/** A fleet with the most hubs that DPS can link (DPS limits), and with all inputs of the allocation. */
function fiftyHubs() {
  const regions = Object.keys(table.coordinates).slice(0, 50);
  const fleet = fleetIn(
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
  const hosts = fleet.hubs.map(({ host }) => host);
  const conditions: Conditions = {
    loadedAt: EPOCH,
    hubs: new Map(hosts.map((host) => [host, { devices: { count: 100, countedAt: EPOCH }, failures: 0 }])),
    causes: new Map(),
  };
  const near = Object.fromEntries(hosts.slice(0, 5).map((host, index) => [host, 10 + index]));
  const place = { country: 'US', region: 'westeurope' };
  return {
    byRegion: inputFor(fleet, requestFor(hosts, place, []), conditions),
    measured: inputFor(fleet, requestFor(hosts, { ...place, latency: near }, []), conditions),
  };
}
