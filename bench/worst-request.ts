import { NO_CONDITIONS } from '../src/allocation/conditions.ts';
import { type DecideInput, decide } from '../src/allocation/decision/decide.ts';
import { receiptOf } from '../src/allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../src/allocation/request/request.ts';
import { ExpressionWork } from '../src/fleet/expressions/expression-work.ts';
import { parseFleet } from '../src/fleet/file/parse.ts';
import type { JsonValue } from '../src/json/json.ts';
import { EPOCH } from '../src/time/epoch-ms.ts';

/**
 * One of the most expensive known requests: a fleet file whose rules and layers all do one kind of work, and the payload
 * within the limits of DPS that makes this work the most expensive.
 */
export interface WorstRequest {
  readonly name: string;
  readonly input: DecideInput;
}

const HOSTS = ['weu', 'neu'].map((name) => `${name}.azure-devices.net`);

/** Most rules and layers of a fleet file. */
const RULES = 200;
const LAYERS = 100;

const KB = 1024;
const numbers = Array.from({ length: 1_000 }, (_, index) => index);

interface Kind {
  readonly condition: string;
  readonly value: string;
  readonly payload: JsonValue;
}

/** The kinds of work. A device can also send texts of 90 KB, but expressions do not read them. */
const KINDS: Readonly<Record<string, Kind>> = {
  'a search of one text in another': {
    condition: 'payload.a.lastIndexOf(payload.b) > 5',
    value: '=string(payload.a.indexOf(payload.b))',
    payload: { a: 'a'.repeat(30 * KB), b: `${'a'.repeat(40)}b${'a'.repeat(40)}` },
  },
  'loops over numbers': {
    condition: 'payload.list.all(x, x >= 0 && x < 2000 && x + 1 != 0)',
    value: '=size(payload.list.filter(x, x % 2 == 0))',
    payload: { list: numbers },
  },
  'loops in which everything is an error': {
    condition: 'payload.list.exists(x, x.a.b == 1 || x.c < 2 || x + x || !x)',
    value: '=size(payload.list.filter(x, x.a == 1 || x == 1))',
    payload: { list: numbers.map(() => 'x') },
  },
  'short loops in which everything is an error': {
    condition: 'payload.list.exists(x, x.a.b == 1 || x.c < 2 || x + x || !x)',
    value: '=size(payload.list.filter(x, x.a == 1 || x == 1))',
    payload: { list: Array(4).fill('x') },
  },
  'chains of keys that are missing': {
    condition: Array(28).fill('payload.z.y == 1').join(' || '),
    value: `=${Array(28).fill('payload.z.y == 1').join(' || ')}`,
    payload: { z: 'x' },
  },
  'loops over texts': {
    condition: 'payload.list.exists(x, (x + x + x + x + x).size() == 5)',
    value: '=size(payload.list.map(x, x.upperAscii()))',
    payload: { list: numbers.map(() => 'İ'.repeat(8)), text: 'x'.repeat(18 * KB) },
  },
  'sums of thirty terms': {
    condition: `size(${Array(30).fill('payload.text').join(' + ')}) > 5`,
    value: `=size(${Array(30).fill('payload.text').join(' + ')})`,
    payload: { text: 'ß'.repeat(500) },
  },
  'parts of texts': {
    condition: "size(payload.text.split('a')) > 5 || size(payload.text.split('')) > 5",
    value: '=size(bytes(payload.text).json())',
    payload: { text: '['.repeat(32 * KB) },
  },
  'lists compared': {
    condition: 'payload.list == payload.other || payload.list in payload.lists',
    value: '=payload.lists == payload.lists',
    payload: { list: numbers, other: numbers, lists: numbers.slice(0, 20).map(() => numbers) },
  },
  'time zones': {
    condition: 'payload.times.exists(x, timestamp(x).getDayOfYear(payload.zone) == 900)',
    value: '=timestamp(payload.times[0]).getHours(payload.zone)',
    payload: { times: numbers.map(() => '2026-01-01T00:00:00Z'), zone: 'America/New_York' },
  },
  'copies of the whole payload': {
    condition: "size(payload) > 5 && payload == {'a': 1}",
    value: '=payload',
    payload: Object.fromEntries(Array.from({ length: 8_000 }, (_, index) => [`k${index}`, index])),
  },
  'copies within the step limit of each expression': {
    condition: "payload == {'a': 1}",
    value: '=payload',
    payload: Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`k${index}`, index])),
  },
  'copies, deep': {
    condition: 'payload.a == payload',
    value: '=payload.a',
    payload: { a: deep(28, Object.fromEntries(numbers.map((index) => [`ö${index}`, 'ü'.repeat(20)]))) },
  },
};

function deep(levels: number, inner: JsonValue): JsonValue {
  return levels === 0 ? inner : { a: deep(levels - 1, inner), b: 'ö' };
}

export function worstRequests(): readonly WorstRequest[] {
  return Object.entries(KINDS).map(([name, { condition, value, payload }]) => {
    const parsed = parseFleet(
      JSON.stringify({
        hubs: HOSTS.map((host) => ({ host, region: 'westeurope', tier: 'S1' })),
        allocation: {
          rules: Array.from({ length: RULES }, (_, index) => ({
            name: `r${index}`,
            when: condition,
            prefer: { [String(HOSTS[0])]: 2 },
          })),
          payload: { value },
        },
        twins: {
          initial: Array.from({ length: LAYERS }, (_, index) => ({
            name: `l${index}`,
            when: condition.startsWith('size(payload) > 5 &&') ? 'true' : `${condition} || true`,
            tags: { a: value, b: { c: value } },
            desired: { a: value, b: { c: value } },
          })),
        },
      }),
    );
    if (!parsed.ok) throw new Error(`${name}: ${JSON.stringify(parsed.problems[0])}`);
    const request = parseAllocationRequest({
      enrollmentGroup: { enrollmentGroupId: 'g' },
      deviceRuntimeContext: { registrationId: 'worst', symmetricKey: {}, payload },
      linkedHubs: HOSTS,
    });
    return { name, input: { request, fleet: parsed.fleet, conditions: NO_CONDITIONS, now: EPOCH } };
  });
}

/** The steps of the expressions, and the median CPU time of several runs in milliseconds. */
export function cpuOf({ input }: WorstRequest): { readonly steps: number; readonly ms: number } {
  const work = new ExpressionWork();
  decide(input, work);
  const times = Array.from({ length: 9 }, () => {
    const before = process.cpuUsage();
    receiptOf(input, decide(input));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  }).sort((one, other) => one - other);
  return { steps: work.steps, ms: times[4] ?? 0 };
}
