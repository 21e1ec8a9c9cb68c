import { type Conditions, NO_CONDITIONS } from '../allocation/conditions.ts';
import { currentCauses } from '../allocation/moves/moves.ts';
import { BerthError } from '../errors.ts';
import { parseFleet } from '../fleet/file/parse.ts';
import type { Fleet, Rule } from '../fleet/fleet.ts';
import type { JsonValue } from '../json/json.ts';
import { EPOCH, type EpochMs } from '../time/epoch-ms.ts';

/** What is asked, in a form that goes to a worker. */
export interface Job {
  /** Text of the fleet file that is tried. */
  readonly fleet: string;
  /** Text of the one that it is compared with; undefined: with the hubs that the devices are on. */
  readonly against: string | undefined;
  /** What synthetic devices send, in turn; none: nothing, and rules about the payload are left out. */
  readonly payloads: readonly JsonValue[];
  readonly isSynthetic: boolean;
}

/** A fleet file with the conditions under which every move that it can cause is over. */
export interface Tried {
  readonly fleet: Fleet;
  readonly conditions: Conditions;
}

/** The same, compiled. */
export interface Trial {
  readonly tried: Tried;
  readonly against: Tried | undefined;
  readonly now: EpochMs;
  readonly payloads: readonly JsonValue[];
  /** Rules that synthetic devices say nothing about, and that are left out therefore. */
  readonly leftOut: readonly string[];
}

export function openTrial({ fleet, against, payloads, isSynthetic }: Job, now: EpochMs): Trial {
  const isSilent = isSynthetic && payloads.length === 0;
  const files = [compile(fleet), ...(against === undefined ? [] : [compile(against)])];
  const rules = files.flatMap(({ allocation }) => allocation.rules);
  const [tried, compared] = files
    .map((file) => (isSilent ? withoutPayloadRules(file) : file))
    .map((file): Tried => ({ fleet: file, conditions: finalConditions(file, now) }));
  if (tried === undefined) throw new Error('a trial needs a fleet');
  return {
    tried,
    against: compared,
    now,
    payloads,
    leftOut: isSilent ? [...new Set(rules.filter(readsDevice).map(({ name }) => name))] : [],
  };
}

/** All gradual moves are over, and nothing is known of counts, health and overrides. */
function finalConditions(fleet: Fleet, now: EpochMs): Conditions {
  const causes = currentCauses(fleet, NO_CONDITIONS, now).map((cause) => [cause, EPOCH] as const);
  return { loadedAt: now, hubs: new Map(), causes: new Map(causes) };
}

function compile(text: string): Fleet {
  const parsed = parseFleet(text);
  if (parsed.ok) return parsed.fleet;
  throw new BerthError('BERTH_FLEET_INVALID', 'The fleet file is not valid.', { details: parsed.problems });
}

function withoutPayloadRules(fleet: Fleet): Fleet {
  const rules = fleet.allocation.rules.filter((rule) => !readsDevice(rule));
  return { ...fleet, allocation: { ...fleet.allocation, rules } };
}

/** What only a real device can say. */
function readsDevice({ when }: Rule): boolean {
  return when?.reads.some(([variable]) => variable === 'payload' || variable === 'attestation') ?? false;
}
