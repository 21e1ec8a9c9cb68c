import { beforeAll, describe, expect, test } from '@jest/globals';
import { conditionsOf, effectiveHub } from '../../src/allocation/conditions.ts';
import { answerOf } from '../../src/allocation/decision/answer.ts';
import { type Decision, decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { fc } from '../support/properties.ts';
import { type AllocationCase, anyAllocationCase, NOW } from './allocation-cases.ts';

/** Properties that hold for every fleet, device and moment, even when inputs are missing or wrong. */

/** How many cases there are: "another hub is faster" is rare. */
const CASES = 6_000;
/** Each case is decided once, for all properties. */
let decided: readonly (readonly [given: AllocationCase, decision: Decision])[];
beforeAll(() => {
  decided = fc.sample(anyAllocationCase, { numRuns: CASES }).map((given) => [given, decide(given)] as const);
});

/** Checks the first cases. When a check fails, it runs again as a property, which finds the smallest case that fails. */
function always(check: (given: AllocationCase, decision: Decision) => void, count = 2_000): void {
  try {
    for (const [given, decision] of decided.slice(0, count)) check(given, decision);
  } catch (error) {
    const property = fc.property(anyAllocationCase, (given) => check(given, decide(given)));
    fc.assert(property, { numRuns: count });
    throw error;
  }
}

const ruleNames = ({ fleet }: AllocationCase) => fleet.allocation.rules.map(({ name }) => name);
const isListed = ({ fleet }: AllocationCase, host: string) => fleet.hubs.some((hub) => hub.host === host);
const residencyOf = ({ fleet }: AllocationCase, host: string | undefined) =>
  fleet.hubs.find((hub) => hub.host === host)?.labels.residency;

test('the generated cases reach every result and every reason of a decision', () => {
  const reasons = decided.map(([, { result }]) => (result.kind === 'assigned' ? result.why : result.code));

  expect(new Set(reasons)).toEqual(
    new Set([
      'first registration',
      'the enrollment never reprovisions',
      'the current hub is suitable',
      'the current hub is draining, but the gradual move has not reached the device',
      'the current hub is draining, but no other hub may receive the device',
      'another hub is faster, but the gradual move has not reached the device',
      'the current hub is not linked',
      'the current hub does not meet a require rule',
      'a hub rule names another hub',
      'the current hub is draining',
      'another hub is faster',
      'BERTH_REGISTRATION_DENIED',
      'BERTH_INPUT_MISSING',
      'BERTH_NO_HUB_QUALIFIES',
      'BERTH_NO_HUB_NOW',
    ]),
  );
});

describe('a residency rule', () => {
  test('assigns no device to a hub outside its residency and uses no hidden input to do so', () => {
    always((given, { result }) => {
      const { request } = given;
      if (result.kind === 'refused') return;
      const residency = residencyOf(given, result.host);
      const current = residencyOf(given, request.current?.hub);
      const isKnown = typeof given.country === 'string';

      for (const [rule, countries, wanted] of [
        ['eu', ['DE', 'FR'], 'eu'],
        ['us', ['US'], 'us'],
      ] as const) {
        if (!ruleNames(given).includes(rule)) continue;
        if (isKnown && countries.some((country) => country === given.country)) expect(residency).toBe(wanted);
        // A hub that was removed from the fleet file has no labels. A device may keep it, but not move to it.
        const staysOnUnlistedHub = result.host === request.current?.hub && !isListed(given, result.host);
        if (!isKnown && !staysOnUnlistedHub) expect(residency).toBe(current ?? wanted);
      }
    });
  });
});

describe('the decision', () => {
  test('assigns a linked hub, spelt as in linkedHubs, or ends with an error code', () => {
    always((given, decision) => {
      const { result } = decision;

      if (result.kind === 'refused') expect(result.code).toMatch(/^BERTH_/);
      else {
        expect(given.request.linkedHubs.map(({ text }) => text)).toContain(result.hub);
        expect(JSON.stringify(answerOf(result.hub, decision).payload ?? {})).toMatch(/^[ -~]*$/);
      }
    });
  });

  test('is the same on two instances, whatever each instance decided before', () => {
    fc.assert(
      fc.property(anyAllocationCase, anyAllocationCase, (given, other) => {
        const file = { ...given.fleet.file, $schema: undefined };
        const parsed = parseFleet(JSON.stringify(file));
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
        const here = decide(given);
        decide(other);
        const there = decide({ ...given, fleet: parsed.fleet });

        expect(there).toEqual(here);
      }),
      { numRuns: 500 },
    );
  });

  test('asks for a retry, and never refuses, when some hub would qualify', () => {
    always((_, { result, candidates }) => {
      const mayQualify = candidates.some(({ lasting }) => lasting === undefined);

      if (result.kind === 'refused' && result.code === 'BERTH_NO_HUB_NOW') expect(mayQualify).toBe(true);
      if (result.kind === 'refused' && result.code === 'BERTH_NO_HUB_QUALIFIES') {
        expect(mayQualify && !result.message.startsWith('The enrollment never reprovisions')).toBe(false);
      }
    });
  });
});

describe('a device that already has a hub', () => {
  test('stays on its hub while the hub is allowed, unless another hub is faster', () => {
    always((given, { result }) => {
      const { current } = given.request;
      const hub = given.fleet.hubs.find(({ host }) => host === current?.hub);
      if (result.kind !== 'assigned' || result.how !== 'moved' || hub === undefined) return;

      switch (result.why) {
        case 'the current hub is not linked':
          expect(given.request.linkedHubs.map(({ host }) => host)).not.toContain(hub.host);
          break;
        case 'the current hub is draining':
          expect(effectiveHub(hub, conditionsOf(hub.host, given.conditions), NOW).state).toBe('draining');
          break;
        case 'another hub is faster':
          expect(given.fleet.allocation.fasterByMs).toBeDefined();
          break;
        default:
          expect(['the current hub does not meet a require rule', 'a hub rule names another hub']).toContain(
            result.why,
          );
      }
      expect(result.host).not.toBe(hub.host);
    });
  });

  test('moves because of a drain or a faster hub only after the gradual move has reached it', () => {
    always((_, { result, gradualMoves }) => {
      if (result.kind !== 'assigned') return;
      const isReached = gradualMoves.some(({ position, progress }) => position < progress);

      if (result.why === 'the current hub is draining' || result.why === 'another hub is faster')
        expect(isReached).toBe(true);
      if (result.why.endsWith('has not reached the device')) expect(isReached).toBe(false);
    });
  });

  test('moves to a faster hub only if the hub is faster by the configured time and both latencies have the same source', () => {
    always((given, { result, latencies }) => {
      if (result.kind !== 'assigned' || result.why !== 'another hub is faster') return;
      const from = latencies.byHost.get(given.request.current?.hub ?? result.host);
      const to = latencies.byHost.get(result.host);

      expect(to?.source).toBe(from?.source);
      expect((from?.ms ?? 0) - (to?.ms ?? 0)).toBeGreaterThanOrEqual(
        given.fleet.allocation.fasterByMs ?? NaN,
      );
    }, CASES);
  });
});

describe('the load cap', () => {
  test('assigns the device to the best hub below the cap, or to the best hub if all are above it, and never refuses', () => {
    always((_, { result, candidates }) => {
      if (result.kind !== 'assigned' || result.how !== 'placed') return;
      const winner = candidates.find(({ host }) => host === result.host)?.scored?.hub;
      const isAnyFree = candidates.some(({ scored }) => scored !== undefined && !scored.hub.isOverloaded);

      if (isAnyFree) expect(winner?.isOverloaded).toBe(false);
      expect(winner).toBeDefined();
    });
  });
});

describe('a receipt', () => {
  test('recomputes to exactly the same decision', () => {
    always((given, decision) => {
      const receipt = receiptOf(given, decision);
      const stored = JSON.parse(JSON.stringify(receipt)) as typeof receipt;
      const { differences, notKept } = recompute(stored, given.fleet);

      if (notKept.length === 0) expect(differences).toEqual([]);
    });
  });

  test('holds no twin value of the enrollment and fits into one log line', () => {
    always((given, decision) => {
      const text = JSON.stringify(receiptOf(given, decision));

      expect(text).not.toContain('secret-tag');
      expect(text.length).toBeLessThan(8_000);
    }, 500);
  });
});
