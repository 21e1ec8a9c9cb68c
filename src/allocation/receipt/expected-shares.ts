import type { Fleet, Hub } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Conditions, conditionsOf, effectiveHub, NO_CONDITIONS } from '../conditions.ts';
import { withParentHub } from '../parent/known-parent.ts';
import { knownRules } from '../rules/known-rules.ts';
import { evaluateRules } from '../rules/rules.ts';
import { ruleVariables } from '../rules/variables.ts';
import { candidatesOf, ratingOf } from '../score/candidates.ts';
import { chancesOf } from '../score/chances.ts';
import { latenciesOf, NO_LATENCIES } from '../score/latency.ts';
import { deviceWords } from '../score/placement.ts';
import type { ReceiptInputs } from './receipt.ts';
import { requestOf } from './recompute.ts';

/** What share of the devices a hub can expect, as parts of 1. */
export interface ExpectedShare {
  /** The mean of the chances of the devices. */
  readonly expected: number;
  /** One standard deviation of the actual share, for this number of devices. */
  readonly spread: number;
}

/**
 * The expected share of each hub if the fleet file placed all these devices as new devices. It follows from the weights,
 * the latencies and the rules. Cordons, capacities, counts and health are temporary, so they are ignored. A draining hub
 * expects no device. Devices that a rule refuses, or that no hub may receive, are left out.
 *
 * @param registrations the inputs of the last registration of each device
 * @returns undefined without devices
 */
export function expectedShares(
  registrations: Iterable<ReceiptInputs>,
  fleet: Fleet,
  conditions: Conditions,
  now: EpochMs,
): ReadonlyMap<HostName, ExpectedShare> | undefined {
  const lasting = lastingFleet(fleet, conditions, now);
  const chances = [...registrations]
    .map((inputs) => chancesOfDevice(inputs, lasting, now))
    .filter((each) => each.size > 0);
  if (chances.length === 0) return undefined;
  return new Map(
    fleet.hubs.map(({ host }) => [host, expectedShare(chances.map((each) => each.get(host) ?? 0))]),
  );
}

/** The devices are placed independently, so the variances of their chances add up. */
function expectedShare(chances: readonly number[]): ExpectedShare {
  let mean = 0;
  let variance = 0;
  for (const chance of chances) {
    mean += chance / chances.length;
    variance += chance * (1 - chance);
  }
  return { expected: mean, spread: Math.sqrt(variance) / chances.length };
}

function chancesOfDevice(inputs: ReceiptInputs, fleet: Fleet, now: EpochMs): ReadonlyMap<HostName, number> {
  const request = { ...requestOf(inputs, fleet), current: undefined };
  const rules = withParentHub(
    evaluateRules(knownRules(fleet, request), ruleVariables(request), undefined),
    inputs.parent,
  );
  if (rules.denied !== undefined || rules.missing !== undefined) return NO_CHANCES;
  const latencies = fleet.allocation.readsLatency ? latenciesOf(request, fleet) : NO_LATENCIES;
  const rating = ratingOf(request, fleet, NO_CONDITIONS, rules, latencies, now);
  return chancesOf(candidatesOf(rating, deviceWords(request.registrationId, fleet.allocation.salt)));
}

const NO_CHANCES: ReadonlyMap<HostName, number> = new Map();

/** The fleet with the overrides of operators in force, and without cordons. */
function lastingFleet(fleet: Fleet, conditions: Conditions, now: EpochMs): Fleet {
  const hubs = fleet.hubs.map((hub): Hub => {
    const { state, weight } = effectiveHub(hub, conditionsOf(hub.host, conditions), now);
    return { ...hub, weight, state: state === 'draining' ? 'draining' : 'active' };
  });
  return { ...fleet, hubs, hubByHost: new Map(hubs.map((hub) => [hub.host, hub])) };
}
