import type { ErrorDetail } from '../../errors.ts';
import { identityOperationsPerMinute, twinUpdatesPerSecond } from '../../iot-hub/throttles.ts';
import { coordinatesOf } from '../../regions/regions.ts';
import type { Expression } from '../expressions/expression.ts';
import type { Fleet, Hub, Rule } from '../fleet.ts';
import { deadComparisons } from './dead-comparisons.ts';
import { evadableRules } from './evasion.ts';
import { excludingRules } from './exclusion.ts';
import { zonedDates } from './zoned-dates.ts';

/** The expected load of the fleet. */
export interface Expectations {
  /** Registrations a minute, of all devices. */
  readonly registrationsPerMinute: number;
  /** Partitions of the Event Hub that the hubs send twin changes to. */
  readonly partitions: number;
}

/**
 * Warnings about a valid fleet file, for the operator before a deployment. They are not logged at every
 * start.
 */
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

/** Every first registration creates an identity on its hub, and DPS waits if the hub throttles. */
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
        message: `${hub.host} would get ${expected} of ${registrationsPerMinute} registrations a minute by its weight, but its limit is ${limit} identity operations a minute (${hub.tier}, ${units(hub)}): devices will wait. Add units or hubs, or use S3`,
      },
    ];
  });
}

/** The part of the budget of twin updates that sync gets. It is divided by the partitions. */
const SYNC_PART = 0.7;

function slowWriters({ hubs, twins }: Fleet, { partitions }: Expectations): readonly ErrorDetail[] {
  if (twins.policies.length === 0) return [];
  return hubs.flatMap((hub, index) => {
    const rate = (twinUpdatesPerSecond(hub) * hub.budget.rate * SYNC_PART) / partitions;
    if (rate >= 1) return [];
    return [
      {
        path: `hubs[${index}].budget.rate`,
        message: `allows only ${rate.toFixed(2)} corrections a second for each of ${partitions} partitions on ${hub.host} (${hub.tier}, ${units(hub)}): below 1, policies reach the fleet slowly. Raise the rate or use fewer partitions`,
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
      return [
        {
          path,
          message:
            'no hub has these labels: Berth refuses every device to which the rule applies. Add the labels to a hub, or correct them',
        },
      ];
    }
    const active = meeting.filter(isActive);
    if (active.length === 0) {
      return [
        {
          path,
          message:
            'every hub with these labels is cordoned or draining: new devices wait. Activate one, or add a hub',
        },
      ];
    }
    const [only] = active;
    if (active.length > 1 || only === undefined) return [];
    return [
      {
        path,
        message: `only ${only.host} has these labels and is active: if it is cordoned, draining or full, devices get no hub. Add a second hub`,
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
    : [
        {
          path: 'hubs',
          message: 'has no active hub: every new device waits, and fails after seven minutes. Activate a hub',
        },
      ];
}

/**
 * The Node device SDK cannot read other characters than ASCII over MQTT, so Berth leaves them out of the
 * answer.
 */
function unsendablePayload({ file }: Fleet): readonly ErrorDetail[] {
  const text = JSON.stringify(file.allocation.payload ?? {});
  return /^[ -~]*$/.test(text)
    ? []
    : [
        {
          path: 'allocation.payload',
          message: 'contains characters that are not ASCII: Berth leaves out these members. Write ASCII only',
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
    return `"${rule.name}" is unknown for every device: its condition is always unknown`;
  const denied = [...before, ...after].find((other) => other.effect.kind === 'deny' && isAlways(other));
  if (denied !== undefined) return `"${rule.name}" has no effect: rule "${denied.name}" denies every device`;
  if (rule.effect.kind !== 'hub') return undefined;
  const later = after.find((other) => other.effect.kind === 'hub' && covers(other, rule));
  return later === undefined
    ? undefined
    : `"${rule.name}" has no effect: the last matching hub rule wins, and "${later.name}" matches whenever it does`;
}

function covers(other: Rule, rule: Rule): boolean {
  return isAlways(other) || (other.when !== undefined && other.when.source === rule.when?.source);
}

function isAlways({ when }: Rule): boolean {
  return when === undefined || constantOf(when) === true;
}

/** The value of a condition that reads no input of a device; undefined if it reads one. */
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
            message: `is "${region}", a region without known latencies: for this hub, Berth uses only what devices measure`,
          },
        ],
  );
}

/** Below this, the noise of measurements would move devices. */
const NOISE_MS = 10;

function suddenMoves({ hubs, allocation }: Fleet): readonly ErrorDetail[] {
  const notes: ErrorDetail[] = [];
  const note = (path: string, message: string) => notes.push({ path, message });
  if (allocation.movesOverMs === 0) {
    const moving = hubs.some(({ state }) => state === 'draining') || allocation.fasterByMs !== undefined;
    if (moving)
      note(
        'allocation.moves.over',
        'is missing: every device moves at its next registration. Set it to spread the moves',
      );
  }
  if (allocation.fasterByMs !== undefined && allocation.halfLifeMs === undefined) {
    note(
      'allocation.sticky',
      'has little effect without allocation.latency: a device moves only to the hub with its best score, and scores then depend on weights alone',
    );
  }
  if (allocation.fasterByMs !== undefined && allocation.fasterByMs < NOISE_MS) {
    note(
      'allocation.sticky.moveWhenFasterByMs',
      `is ${allocation.fasterByMs}, but measurements vary by more: devices would move back and forth. Write at least ${NOISE_MS}`,
    );
  }
  return notes;
}
