import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import type { ReceiptAnswer } from '../../console/api/contract.ts';
import {
  conditionsText,
  decisionSentences,
  decisionText,
  rankedHubs,
  receiptNotes,
  ruleText,
  withoutTwinText,
} from '../../console/words/receipt.ts';
import { type Conditions, NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { sayReceipt } from '../../src/cli/devices/receipt-text.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';

const WEU = 'contoso-weu.azure-devices.net';
const EUS = 'contoso-eus.azure-devices.net';
const SEA = 'contoso-sea.azure-devices.net';
const NOW = epochMs(Date.parse('2026-11-28T20:31:00Z'));

const PARSED = parseFleet(
  JSON.stringify({
    hubs: [
      { host: WEU, tier: 'S1', region: 'westeurope', labels: { residency: 'eu' } },
      { host: EUS, tier: 'S1', region: 'eastus', labels: { residency: 'us' } },
      { host: SEA, tier: 'S1', region: 'southeastasia', labels: { residency: 'sg' }, state: 'cordoned' },
    ],
    allocation: {
      sticky: { moveWhenFasterByMs: 40 },
      moves: { over: '1h' },
      rules: [
        { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } },
        { name: 'retired', when: "payload.model == 'x0'", whenUnknown: 'skip', deny: 'model x0 is retired' },
      ],
    },
    twins: {
      initial: [
        { name: 'base', tags: { site: '=payload.site' } },
        { name: 'vip', when: 'payload.vip', tags: { vip: true } },
      ],
    },
  }),
);

function receiptFor(
  payload: object,
  more: object = {},
  conditions: Conditions = NO_CONDITIONS,
): ReceiptAnswer {
  if (!PARSED.ok) throw new Error(JSON.stringify(PARSED));
  const request = parseAllocationRequest({
    deviceRuntimeContext: { registrationId: 'pump-1', payload, ...more },
    enrollmentGroup: { enrollmentGroupId: 'fleet', reprovisionPolicy: { updateHubAssignment: true } },
    linkedHubs: [WEU, EUS, SEA],
  });
  const input = { request, fleet: PARSED.fleet, conditions, now: NOW };
  // As it comes over HTTP: without what is undefined.
  return JSON.parse(JSON.stringify(receiptOf(input, decide(input)))) as ReceiptAnswer;
}

/** What `berth explain` writes on the same receipt. */
async function explained(receipt: ReceiptAnswer): Promise<string> {
  const out = new PassThrough();
  const err = new PassThrough();
  sayReceipt({ out, err }, receipt as unknown as Receipt);
  out.end();
  return text(out);
}

const RECEIPTS: readonly (readonly [name: string, receipt: ReceiptAnswer])[] = [
  ['a first registration', receiptFor({ country: 'DE', site: 'berlin' })],
  ['a device that says little', receiptFor({})],
  ['a refusal', receiptFor({ country: 'US', model: 'x0' })],
  [
    'a device that stays',
    receiptFor({ country: 'DE' }, { currentIotHubHostName: WEU, currentDeviceId: 'pump-1' }),
  ],
  [
    'a device with latencies',
    receiptFor({ country: 'US', latency: { westeurope: 90, eastus: 5 } }, { currentIotHubHostName: WEU }),
  ],
];

describe('a receipt in the console', () => {
  test.each(RECEIPTS)('%s is explained in the same words as by the berth command', async (_, receipt) => {
    const said = await explained(receipt);

    expect(said).toContain(decisionText(receipt));
    expect(said).toContain(conditionsText(receipt));
    for (const note of receiptNotes(receipt)) expect(said).toContain(note);
    for (const { excluded } of rankedHubs(receipt)) expect(said).toContain(excluded ?? '');
  });

  test('hubs are ranked by score, and those that could not receive the device come last with the reason', () => {
    const ranked = rankedHubs(receiptFor({ country: 'DE' }));

    expect(ranked.map(({ host, rank, excluded, isResult }) => ({ host, rank, excluded, isResult }))).toEqual([
      { host: WEU, rank: 1, excluded: undefined, isResult: true },
      { host: EUS, rank: undefined, excluded: 'does not meet a require rule', isResult: false },
      { host: SEA, rank: undefined, excluded: expect.any(String), isResult: false },
    ]);
    expect(ranked[0]?.length).toBe(1);
  });

  test('the shortest bar is the best score', () => {
    const scored = rankedHubs(receiptFor({ country: 'US', model: 'm' })).filter(
      ({ rank }) => rank !== undefined,
    );

    expect(scored.length).toBeGreaterThan(1);
    expect(scored.map(({ length }) => length)).toEqual(scored.map(({ length }) => length).sort());
    expect(scored.at(-1)?.length).toBe(1);
  });

  test('a person who knows nothing of Berth reads why the device is there', () => {
    expect(decisionSentences(receiptFor({ country: 'DE' }))).toEqual([
      'Berth chose a hub for the device. Reason: first registration.',
      'contoso-weu is the only hub that could receive it.',
      '2 of 3 linked hubs could not receive it.',
    ]);
    expect(decisionSentences(receiptFor({ model: 'x0', country: 'US' }))[0]).toMatch(
      /refused.*model x0 is retired/,
    );
  });

  test('a device without a twin is refused, or waits for the first event of its hub', () => {
    const at = (country: string, model: string) => withoutTwinText(receiptFor({ country, model }));

    expect(at('US', 'x0')).toBe('Berth refused its last registration. It has no hub.');
    expect(at('DE', 'x1')).toBe('Its hub is contoso-weu. The hub has not sent an event of its twin yet.');
    expect(withoutTwinText(undefined)).toBe('Berth has no twin of it.');
  });

  test('each rule says whether it takes effect and why', () => {
    const said = ({ rules }: ReceiptAnswer) => rules.map((rule) => `${rule.name} ${ruleText(rule)}`);

    expect(said(receiptFor({ country: 'DE', model: 'x1' }))).toEqual(['eu matched and takes effect.']);
    expect(said(receiptFor({}))).toEqual([
      'eu could not be decided, because the key country is missing. It takes effect all the same.',
      'retired could not be decided, because the key model is missing. It does not take effect.',
    ]);
  });
});
