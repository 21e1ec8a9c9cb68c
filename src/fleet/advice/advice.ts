import type { ErrorDetail } from '../../errors.ts';
import { identityOperationsPerMinute, twinUpdatesPerSecond } from '../../iot-hub/throttles.ts';
import { coordinatesOf } from '../../regions/regions.ts';
import type { Expression } from '../expressions/expression.ts';
import type { Fleet, Hub, Rule } from '../fleet.ts';
import { deadComparisons } from './dead-comparisons.ts';
import { evadableRules } from './evasion.ts';
import { excludingRules } from './exclusion.ts';
import { zonedDates } from './zoned-dates.ts';

/** What the fleet is expected to meet. */
export interface Expectations {
  /** Registrations a minute, of all devices. */
  readonly registrationsPerMinute: number;
  /** Partitions of the Event Hub that the hubs send twin changes to. */
  readonly partitions: number;
}

/** What is valid, in effect, and will hurt. For a person before a deployment, not for the log of every start. */
export function adviceOn(fleet: Fleet, expectations: Expectations): readonly ErrorDetail[] {
  return [
    ...crowdedHubs(fleet, expectations),
    ...slowWriters(fleet, expectations),
    ...idleFleet(fleet),
    ...loneResidencies(fleet),
    ...evadableRules(fleet),
    ...excludingRules(fleet),
    ...deadComparisons(fleet),
    ...zonedDates(fleet),
    ...deadRules(fleet.allocation.rules),
    ...unknownRegions(fleet),
    ...unsendablePayload(fleet),
    ...suddenMoves(fleet),
  ];
}

/** Every first registration creates an identity on its hub, and DPS waits where the hub throttles. */
function crowdedHubs({ hubs }: Fleet, { registrationsPerMinute }: Expectations): readonly ErrorDetail[] {
  const weights = hubs.filter(isActive).reduce((sum, { weight }) => sum + weight, 0);
  return hubs.flatMap((hub, index) => {
    if (!isActive(hub)) return [];
    const expected = Math.round((registrationsPerMinute * hub.weight) / weights);
    const limit = identityOperationsPerMinute(hub);
    if (expected <= limit) return [];
    return [
      {
        path: `hubs[${index}].units`,
        message: `${hub.host} would get ${expected} of ${registrationsPerMinute} registrations a minute by its weight, and takes ${limit} identity operations a minute (${hub.tier}, ${units(hub)}): devices will wait; add units or hubs, or use S3`,
      },
    ];
  });
}

/** Of Berth's part of a hub's twin updates, seven tenths are for sync, divided by the partitions. */
const SYNC_PART = 0.7;

function slowWriters({ hubs, twins }: Fleet, { partitions }: Expectations): readonly ErrorDetail[] {
  if (twins.policies.length === 0) return [];
  return hubs.flatMap((hub, index) => {
    const rate = (twinUpdatesPerSecond(hub) * hub.budget.rate * SYNC_PART) / partitions;
    if (rate >= 1) return [];
    return [
      {
        path: `hubs[${index}].budget.rate`,
        message: `leaves ${rate.toFixed(2)} corrections a second for each of ${partitions} partitions on ${hub.host} (${hub.tier}, ${units(hub)}): below 1 a policy takes long to reach the fleet; raise the rate or use fewer partitions`,
      },
    ];
  });
}

function units({ units: number }: Hub): string {
  return `${number} unit${number === 1 ? '' : 's'}`;
}

function loneResidencies({ hubs, allocation }: Fleet): readonly ErrorDetail[] {
  return allocation.rules.flatMap((rule, index) => {
    if (rule.effect.kind !== 'require') return [];
    const { labels } = rule.effect;
    const meeting = hubs.filter((hub) =>
      Object.entries(labels).every(([label, value]) => hub.labels[label] === value),
    );
    const path = `allocation.rules[${index}].require`;
    if (meeting.length === 0) {
      return [{ path, message: 'no hub has these labels: every device that the rule applies to is refused' }];
    }
    const active = meeting.filter(isActive);
    if (active.length === 0) {
      return [{ path, message: 'every hub with these labels is cordoned or drains: its new devices wait' }];
    }
    const [only] = active;
    if (active.length > 1 || only === undefined) return [];
    return [
      {
        path,
        message: `only ${only.host} has these labels and is active: when it is cordoned, full or drained, its devices have nowhere to go; add a second hub`,
      },
    ];
  });
}

function isActive({ state }: Hub): boolean {
  return state === 'active';
}

function idleFleet({ hubs }: Fleet): readonly ErrorDetail[] {
  return hubs.some(isActive)
    ? []
    : [{ path: 'hubs', message: 'none is active: every new device waits, and fails after seven minutes' }];
}

/** The Node device SDK breaks on anything but ASCII over MQTT, so it is left out of the answer. */
function unsendablePayload({ file }: Fleet): readonly ErrorDetail[] {
  const text = JSON.stringify(file.allocation.payload ?? {});
  return /^[ -~]*$/.test(text)
    ? []
    : [
        {
          path: 'allocation.payload',
          message: 'holds characters that are not ASCII: those members are left out',
        },
      ];
}

function deadRules(rules: readonly Rule[]): readonly ErrorDetail[] {
  return rules.flatMap((rule, index) => {
    const message = whyDead(rule, rules.slice(0, index), rules.slice(index + 1));
    return message === undefined ? [] : [{ path: `allocation.rules[${index}]`, message }];
  });
}

function whyDead(rule: Rule, before: readonly Rule[], after: readonly Rule[]): string | undefined {
  const constant = constantOf(rule.when);
  if (constant === false) return `"${rule.name}" never matches: its condition is always false`;
  if (constant === 'unknown')
    return `"${rule.name}" cannot be decided for any device: its condition is always unknown`;
  const denied = [...before, ...after].find((other) => other.effect.kind === 'deny' && isAlways(other));
  if (denied !== undefined) return `"${rule.name}" has no effect: rule "${denied.name}" denies every device`;
  if (rule.effect.kind !== 'hub') return undefined;
  const later = after.find((other) => other.effect.kind === 'hub' && covers(other, rule));
  return later === undefined
    ? undefined
    : `"${rule.name}" has no effect: of hub rules the last one wins, and "${later.name}" matches whenever it does`;
}

function covers(other: Rule, rule: Rule): boolean {
  return isAlways(other) || (other.when !== undefined && other.when.source === rule.when?.source);
}

function isAlways({ when }: Rule): boolean {
  return when === undefined || constantOf(when) === true;
}

/** The value of a condition that reads nothing of a device; undefined where it depends on one. */
function constantOf(when: Expression | undefined): boolean | 'unknown' | undefined {
  if (when === undefined || when.reads.length > 0) return undefined;
  const result = when.evaluate({});
  return result.known && typeof result.value === 'boolean' ? result.value : 'unknown';
}

function unknownRegions({ hubs, allocation }: Fleet): readonly ErrorDetail[] {
  if (!allocation.readsLatency) return [];
  return hubs.flatMap(({ region }, index) =>
    coordinatesOf(region) !== undefined
      ? []
      : [
          {
            path: `hubs[${index}].region`,
            message: `is "${region}", of which no latencies are known: only what devices measure themselves counts for this hub`,
          },
        ],
  );
}

/** Below this, the noise of two measurements moves devices. */
const NOISE_MS = 10;

function suddenMoves({ hubs, allocation }: Fleet): readonly ErrorDetail[] {
  const notes: ErrorDetail[] = [];
  const note = (path: string, message: string) => notes.push({ path, message });
  if (allocation.movesOverMs === 0) {
    const moving = hubs.some(({ state }) => state === 'draining') || allocation.fasterByMs !== undefined;
    if (moving)
      note('allocation.moves', 'is missing: every device moves at its next registration, all at once');
  }
  if (allocation.fasterByMs !== undefined && allocation.halfLifeMs === undefined) {
    note(
      'allocation.sticky',
      'moves devices to faster hubs only as far as the scores put them there, and without allocation.latency it goes by weights alone',
    );
  }
  if (allocation.fasterByMs !== undefined && allocation.fasterByMs < NOISE_MS) {
    note(
      'allocation.sticky.moveWhenFasterByMs',
      `is ${allocation.fasterByMs}: measurements vary by more, and devices will move to and fro; write at least ${NOISE_MS}`,
    );
  }
  return notes;
}
