import type { AllocationResult, Why } from '../allocation/decision/decide.ts';
import type { RuleTrace } from '../allocation/rules/rules.ts';
import { ownEntry } from '../json/json.ts';

/** The most device ids that are kept as examples in each group. */
const EXAMPLES = 5;

export interface Tallied {
  readonly count: number;
  /** Device ids. */
  readonly examples: readonly string[];
}

/** Devices that would move from one hub to another, for one reason. */
export interface Move extends Tallied {
  readonly from: string;
  readonly to: string;
  readonly why: Why;
}

/** Devices that would no longer get a hub, for one reason. */
export interface RefusedDevices extends Tallied {
  readonly code: string;
  readonly message: string;
}

export interface RuleHits {
  readonly matched: number;
  readonly unknown: number;
}

/** Results of a number of devices. Tallies can be added. */
export interface Tally {
  readonly devices: number;
  /** Devices whose registration is not stored. */
  readonly withoutInputs: number;
  /** Devices whose stored registration lacks values that the file reads, and the devices that lack each of them, by name. */
  readonly withUnknown: number;
  readonly unknown: Readonly<Record<string, number>>;
  /** Devices that were already refused before. */
  readonly refusedAsBefore: number;
  /** Devices per hub: `before` now, `after` all moves, and `fresh` if all devices were new. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  readonly fresh: Readonly<Record<string, number>>;
  readonly moves: Readonly<Record<string, Move>>;
  readonly refusals: Readonly<Record<string, RefusedDevices>>;
  readonly rules: Readonly<Record<string, RuleHits>>;
}

export const NO_TALLY: Tally = {
  devices: 0,
  withoutInputs: 0,
  withUnknown: 0,
  unknown: {},
  refusedAsBefore: 0,
  before: {},
  after: {},
  fresh: {},
  moves: {},
  refusals: {},
  rules: {},
};

/** The result of one device. */
export interface Trialed {
  readonly deviceId: string;
  readonly hasInputs: boolean;
  /** Undefined if it has no hub. */
  readonly before: string | undefined;
  /** It has no hub because it was refused, by the compared fleet file or at its registration. */
  readonly wasRefused: boolean;
  readonly after: AllocationResult;
  readonly fresh: AllocationResult;
  readonly rules: readonly RuleTrace[];
  /** Inputs that the file reads and that are not stored; undefined if there are none. */
  readonly unknown?: readonly string[] | undefined;
}

/** A tally that can be changed. */
type Counting = {
  -readonly [Key in keyof Tally]: Tally[Key] extends Readonly<Record<string, infer Each>>
    ? Record<string, Each>
    : Tally[Key];
};

export function tallyOf(devices: Iterable<Trialed>): Tally {
  const tally: Counting = structuredClone(NO_TALLY);
  // Devices in the same setting share the list of rules.
  const traced = new Map<readonly RuleTrace[], number>();
  for (const { deviceId, hasInputs, before, wasRefused, after, fresh, rules, unknown } of devices) {
    tally.devices += 1;
    if (!hasInputs) tally.withoutInputs += 1;
    if (unknown !== undefined) {
      tally.withUnknown += 1;
      for (const name of unknown) countOne(tally.unknown, name);
    }
    if (before !== undefined) countOne(tally.before, before);
    if (fresh.kind === 'assigned') countOne(tally.fresh, fresh.host);
    if (after.kind === 'assigned') {
      countOne(tally.after, after.host);
      if (before !== undefined && before !== after.host) {
        const { host: to, why } = after;
        add<Move>(tally.moves, [before, to, why].join('\n'), { from: before, to, why, ...one(deviceId) });
      }
    } else if (wasRefused) {
      tally.refusedAsBefore += 1;
    } else {
      const { code, message } = after;
      add<RefusedDevices>(tally.refusals, [code, message].join('\n'), { code, message, ...one(deviceId) });
    }
    traced.set(rules, (traced.get(rules) ?? 0) + 1);
  }
  for (const [rules, devices] of traced) {
    for (const { name, result } of rules) {
      const hits = ownEntry(tally.rules, name) ?? { matched: 0, unknown: 0 };
      tally.rules[name] = {
        matched: hits.matched + (result === 'matched' ? devices : 0),
        unknown: hits.unknown + (result === 'unknown' ? devices : 0),
      };
    }
  }
  return tally;
}

export function addUp(left: Tally, right: Tally): Tally {
  return {
    devices: left.devices + right.devices,
    withoutInputs: left.withoutInputs + right.withoutInputs,
    withUnknown: left.withUnknown + right.withUnknown,
    unknown: merged(left.unknown, right.unknown, (one, other) => one + other),
    refusedAsBefore: left.refusedAsBefore + right.refusedAsBefore,
    before: merged(left.before, right.before, (one, other) => one + other),
    after: merged(left.after, right.after, (one, other) => one + other),
    fresh: merged(left.fresh, right.fresh, (one, other) => one + other),
    moves: merged(left.moves, right.moves, together),
    refusals: merged(left.refusals, right.refusals, together),
    rules: merged(left.rules, right.rules, (one, other) => ({
      matched: one.matched + other.matched,
      unknown: one.unknown + other.unknown,
    })),
  };
}

function countOne(counts: Record<string, number>, key: string): void {
  counts[key] = (ownEntry(counts, key) ?? 0) + 1;
}

function one(deviceId: string): Tallied {
  return { count: 1, examples: [deviceId] };
}

function add<Each extends Tallied>(all: Record<string, Each>, key: string, each: Each): void {
  const known = ownEntry(all, key);
  all[key] = known === undefined ? each : together(known, each);
}

function together<Each extends Tallied>(left: Each, right: Each): Each {
  return { ...left, count: left.count + right.count, examples: firstOf(left.examples, right.examples) };
}

/** The first by name, so that the examples do not depend on the speed of threads. */
function firstOf(left: readonly string[], right: readonly string[]): readonly string[] {
  const last = left[EXAMPLES - 1];
  if (last !== undefined && right.every((each) => each >= last)) return left;
  return [...left, ...right].sort().slice(0, EXAMPLES);
}

function merged<Each>(
  left: Readonly<Record<string, Each>>,
  right: Readonly<Record<string, Each>>,
  both: (left: Each, right: Each) => Each,
): Record<string, Each> {
  const all: Record<string, Each> = { ...left };
  for (const [key, each] of Object.entries(right)) {
    const known = ownEntry(all, key);
    all[key] = known === undefined ? each : both(known, each);
  }
  return all;
}
