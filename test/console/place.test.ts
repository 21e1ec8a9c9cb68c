import { describe, expect, test } from '@jest/globals';
import type { FleetStatus, ReceiptAnswer } from '../../console/api/contract.ts';
import { lastChange } from '../../console/words/last-change.ts';
import { listText, placeSentences } from '../../console/words/place.ts';
import { reasonText } from '../../console/words/statuses.ts';

const host = (name: string) => `contoso-${name}.azure-devices.net`;
type Hub = Partial<ReceiptAnswer['hubs'][number]>;
const candidate = (name: string, latencyMs?: number): Hub => ({ host: host(name), score: 1, latencyMs });
const excluded = (name: string): Hub => ({ host: host(name), excluded: 'does not meet a require rule' });

/** A receipt that assigned the device to `weu`. */
function receiptOf(hubs: readonly Hub[], rules: readonly string[] = []): ReceiptAnswer {
  return {
    result: { kind: 'assigned', host: host('weu') },
    hubs,
    rules: rules.map((name) => ({ name, result: 'matched', applied: true })),
  } as unknown as ReceiptAnswer;
}

describe('why a device is on its hub, without scores', () => {
  test.each<[string, readonly Hub[], readonly string[]]>([
    [
      'the nearest hub',
      [candidate('weu', 12), candidate('eus', 94), candidate('neu', 26)],
      ['contoso-weu is the nearest of the candidates: 12 ms away. The next one is contoso-neu (26 ms).'],
    ],
    [
      'a hub that is not the nearest',
      [candidate('weu', 22), candidate('neu', 12)],
      [
        'contoso-neu is 12 ms away, and contoso-weu is 22 ms away. A nearer hub gets a device more often, but not always: the weights and a hash of the device id decide too.',
      ],
    ],
    ['the only candidate with a latency', [candidate('weu', 12)], ['contoso-weu is 12 ms away.']],
    [
      'hubs without latencies',
      [candidate('weu'), candidate('neu')],
      ['No latency counts here: the weights and a hash of the device id decide.'],
    ],
    ['the only candidate, without a latency', [candidate('weu')], []],
  ])('%s is explained', (_, hubs, sentences) => {
    expect(placeSentences(receiptOf(hubs))).toEqual(sentences);
  });

  test('hubs that a rule excludes are named with the rule', () => {
    const hubs = [candidate('weu', 12), excluded('eus'), excluded('sea')];

    expect(placeSentences(receiptOf(hubs, ['eu-residency'])).at(-1)).toBe(
      'The rule eu-residency excludes contoso-eus and contoso-sea.',
    );
    expect(placeSentences(receiptOf(hubs, ['a', 'b'])).at(-1)).toMatch(/^The rules a and b exclude /);
  });

  test('a refused registration has no place', () => {
    const refused = { ...receiptOf([]), result: { kind: 'refused', message: 'no', code: 'X' } };

    expect(placeSentences(refused as unknown as ReceiptAnswer)).toEqual([]);
  });

  test.each([
    [[], ''],
    [['a'], 'a'],
    [['a', 'b'], 'a and b'],
    [['a', 'b', 'c'], 'a, b and c'],
  ])('the words %j are the list %j', (words, text) => {
    expect(listText(words)).toBe(text);
  });
});

test.each([
  ['wifi.ssid the device answered 400: too long', 'wifi.ssid: the device answered 400: too long'],
  ['interval is not what the policy wants', 'interval is not what the policy wants'],
  ['', ''],
])('the reason %j is the sentence %j', (why, sentence) => {
  expect(reasonText(why)).toBe(sentence);
});

test('policies that one package has changed are one change, with the effect of each', () => {
  const policy = {
    id: 'a',
    mode: 'enforce',
    since: '2026-11-28T10:00:00Z',
    rollout: 1,
    pause: null,
    reached: 3,
    rejected: 0,
    held: 0,
    contested: 0,
    drifted: 0,
    pending: 0,
    inSync: 3,
  };
  const policies = [
    { ...policy, name: 'saver', inSync: 2, rejected: 1 },
    { ...policy, name: 'interval', reached: 17, inSync: 17 },
    { ...policy, name: 'older', since: '2026-11-27T10:00:00Z' },
  ];

  expect(lastChange({ policies, pause: null, hubs: [], moves: [] } as unknown as FleetStatus)).toEqual({
    at: Date.parse('2026-11-28T10:00:00Z'),
    what: 'Policies saver and interval have new content',
    effect: [
      'saver: It applies to 3 twins. Of these: 2 in sync, 1 rejected.',
      'interval: It applies to 17 twins. All of them are in sync.',
    ],
    policy: undefined,
  });
  // A new deployment does not claim that someone has changed its policies.
  const all = { policies: policies.slice(0, 2), pause: null, hubs: [], moves: [] };
  expect(lastChange(all as unknown as FleetStatus)?.what).toBe('All policies are new: saver and interval');
});
