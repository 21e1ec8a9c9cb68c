import { describe, expect, test } from '@jest/globals';
import { conditionsOf, effectiveHub } from '../../src/allocation/conditions.ts';
import { answerOf } from '../../src/allocation/decision/answer.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { fc } from '../support/properties.ts';
import { type AllocationCase, anyAllocationCase, NOW } from './allocation-cases.ts';

/** Properties that hold for every fleet, device and moment, even when inputs are missing or wrong. */

const RUNS = { numRuns: 2_000 };
const ruleNames = ({ fleet }: AllocationCase) => fleet.allocation.rules.map(({ name }) => name);
const isListed = ({ fleet }: AllocationCase, host: string) => fleet.hubs.some((hub) => hub.host === host);
const residencyOf = ({ fleet }: AllocationCase, host: string | undefined) =>
  fleet.hubs.find((hub) => hub.host === host)?.labels.residency;

test('the generated cases reach every result and every reason of a decision', () => {
  const results = fc
    .sample(anyAllocationCase, { numRuns: 6_000, seed: 1 })
    .map((given) => decide(given).result);
  const reasons = results.map((result) => (result.kind === 'assigned' ? result.why : result.code));

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
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const { result } = decide(given);
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
          if (isKnown && countries.some((country) => country === given.country))
            expect(residency).toBe(wanted);
          // A hub that was removed from the fleet file has no labels. A device may keep it, but not move to it.
          const staysOnUnlistedHub = result.host === request.current?.hub && !isListed(given, result.host);
          if (!isKnown && !staysOnUnlistedHub) expect(residency).toBe(current ?? wanted);
        }
      }),
      RUNS,
    );
  });
});

describe('the decision', () => {
  test('assigns a linked hub, spelt as in linkedHubs, or ends with an error code', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const decision = decide(given);
        const { result } = decision;

        if (result.kind === 'refused') expect(result.code).toMatch(/^BERTH_/);
        else {
          expect(given.request.linkedHubs.map(({ text }) => text)).toContain(result.hub);
          expect(JSON.stringify(answerOf(result.hub, decision).payload ?? {})).toMatch(/^[ -~]*$/);
        }
      }),
      RUNS,
    );
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
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const { result, candidates } = decide(given);
        const mayQualify = candidates.some(({ lasting }) => lasting === undefined);

        if (result.kind === 'refused' && result.code === 'BERTH_NO_HUB_NOW') expect(mayQualify).toBe(true);
        if (result.kind === 'refused' && result.code === 'BERTH_NO_HUB_QUALIFIES') {
          expect(mayQualify && !result.message.startsWith('The enrollment never reprovisions')).toBe(false);
        }
      }),
      RUNS,
    );
  });
});

describe('a device that already has a hub', () => {
  test('stays on its hub while the hub is allowed, unless another hub is faster', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const { result } = decide(given);
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
            expect([
              'the current hub does not meet a require rule',
              'a hub rule names another hub',
            ]).toContain(result.why);
        }
        expect(result.host).not.toBe(hub.host);
      }),
      RUNS,
    );
  });

  test('moves because of a drain or a faster hub only after the gradual move has reached it', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const { result, gradualMoves } = decide(given);
        if (result.kind !== 'assigned') return;
        const isReached = gradualMoves.some(({ position, progress }) => position < progress);

        if (result.why === 'the current hub is draining' || result.why === 'another hub is faster')
          expect(isReached).toBe(true);
        if (result.why.endsWith('has not reached the device')) expect(isReached).toBe(false);
      }),
      RUNS,
    );
  });

  test('moves to a faster hub only if the hub is faster by the configured time and both latencies have the same source', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const { result, latencies } = decide(given);
        if (result.kind !== 'assigned' || result.why !== 'another hub is faster') return;
        const from = latencies.byHost.get(given.request.current?.hub ?? result.host);
        const to = latencies.byHost.get(result.host);

        expect(to?.source).toBe(from?.source);
        expect((from?.ms ?? 0) - (to?.ms ?? 0)).toBeGreaterThanOrEqual(
          given.fleet.allocation.fasterByMs ?? NaN,
        );
      }),
      { numRuns: 6_000 },
    );
  });
});

describe('the load cap', () => {
  test('assigns the device to the best hub below the cap, or to the best hub if all are above it, and never refuses', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const { result, candidates } = decide(given);
        if (result.kind !== 'assigned' || result.how !== 'placed') return;
        const winner = candidates.find(({ host }) => host === result.host)?.scored?.hub;
        const isAnyFree = candidates.some(({ scored }) => scored !== undefined && !scored.hub.isOverloaded);

        if (isAnyFree) expect(winner?.isOverloaded).toBe(false);
        expect(winner).toBeDefined();
      }),
      RUNS,
    );
  });
});

describe('a receipt', () => {
  test('recomputes to exactly the same decision', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const receipt = receiptOf(given, decide(given));
        const stored = JSON.parse(JSON.stringify(receipt)) as typeof receipt;
        const { differences, notKept } = recompute(stored, given.fleet);

        if (notKept.length === 0) expect(differences).toEqual([]);
      }),
      RUNS,
    );
  });

  test('holds no twin value of the enrollment and fits into one log line', () => {
    fc.assert(
      fc.property(anyAllocationCase, (given) => {
        const text = JSON.stringify(receiptOf(given, decide(given)));

        expect(text).not.toContain('secret-tag');
        expect(text.length).toBeLessThan(8_000);
      }),
      { numRuns: 500 },
    );
  });
});
