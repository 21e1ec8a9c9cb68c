import type { Why } from '../allocation/decision/decide.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import { DPS_REGISTRATIONS_PER_MINUTE, identityOperationsPerMinute } from '../iot-hub/throttles.ts';
import { ownEntry } from '../json/json.ts';
import type { Move, RefusedDevices, Tally } from './tally.ts';

/** The estimated effect of a fleet file on the hubs of devices. */
export interface PlacementReport {
  readonly revision: string;
  readonly devices: number;
  readonly hubs: readonly HubReport[];
  readonly moves: {
    readonly count: number;
    /** Moves that no gradual move spreads: they happen at the next registration. */
    readonly atOnce: number;
    /** The most devices first. */
    readonly groups: readonly Move[];
    /** The shortest time in which the hubs and DPS can perform the moves. */
    readonly hours: number;
    /** The hub that needs the most time, or DPS. */
    readonly slowest: string | undefined;
    /** The hours over which the fleet file spreads drains and moves to faster hubs. */
    readonly overHours: number;
  };
  /** Devices that would no longer get a hub. */
  readonly refused: {
    readonly count: number;
    readonly groups: readonly RefusedDevices[];
    /** Devices that were already refused before; `count` does not include them. */
    readonly asBefore: number;
  };
  readonly rules: readonly RuleReport[];
  /** Devices of which values are not stored that the file reads. More of them can move or be refused. */
  readonly undecided: number;
  readonly warnings: readonly string[];
}

export interface HubReport {
  readonly host: string;
  /** Undefined if the hub is not in the fleet file. */
  readonly weight: number | undefined;
  /** Its share of all weights, from 0 to 1; 0 for a draining hub. */
  readonly wanted: number | undefined;
  readonly before: number;
  readonly after: number;
  /** Devices that would be here if all devices were new. */
  readonly fresh: number;
  /** Identities that DPS creates and deletes on this hub for the moves. */
  readonly operations: number;
  /** Hours that these operations take at the limit of the hub. */
  readonly hours: number | undefined;
}

export interface RuleReport {
  readonly name: string;
  readonly matched: number;
  readonly unknown: number;
}

const MINUTES = 60;
/** The reasons of moves that `moves.over` spreads. */
const GRADUAL: readonly Why[] = ['the current hub is draining', 'another hub is faster'];

export function reportOf(tally: Tally, fleet: Fleet, leftOut: readonly string[]): PlacementReport {
  const moves = mostFirst(Object.values(tally.moves));
  const moved = sum(moves);
  const hubs = hubReports(tally, fleet, moves);
  const dps = { name: 'DPS', hours: moved / DPS_REGISTRATIONS_PER_MINUTE / MINUTES };
  const slowest = [dps, ...hubs.map(({ host, hours = 0 }) => ({ name: host, hours }))].reduce((one, other) =>
    other.hours > one.hours ? other : one,
  );
  const refusals = mostFirst(Object.values(tally.refusals));
  const report = {
    revision: fleet.revision,
    devices: tally.devices,
    hubs,
    moves: {
      count: moved,
      atOnce:
        fleet.allocation.movesOverMs === 0 ? moved : sum(moves.filter(({ why }) => !GRADUAL.includes(why))),
      groups: moves,
      hours: slowest.hours,
      slowest: moved === 0 ? undefined : slowest.name,
      overHours: fleet.allocation.movesOverMs / 3_600_000,
    },
    refused: { count: sum(refusals), groups: refusals, asBefore: tally.refusedAsBefore },
    undecided: tally.withUnknown + tally.withoutInputs,
    rules: fleet.allocation.rules
      .filter(({ name }) => !leftOut.includes(name))
      .map(({ name }) => ({ name, ...(ownEntry(tally.rules, name) ?? { matched: 0, unknown: 0 }) })),
  };
  return { ...report, warnings: warningsOn(report, tally, fleet, leftOut) };
}

function hubReports(tally: Tally, fleet: Fleet, moves: readonly Move[]): readonly HubReport[] {
  const wanted = (hub: Hub) => (hub.state === 'draining' ? 0 : hub.weight);
  const weights = fleet.hubs.reduce((total, hub) => total + wanted(hub), 0);
  const inFile = fleet.hubs.map(({ host }) => host as string);
  const others = [...new Set([...Object.keys(tally.before), ...Object.keys(tally.after)])]
    .filter((host) => !inFile.includes(host))
    .sort();
  return [...inFile, ...others].map((host) => {
    const hub = fleet.hubs.find((each) => each.host === host);
    const operations = sum(moves.filter(({ from, to }) => from === host || to === host));
    return {
      host,
      weight: hub?.weight,
      wanted: hub && (weights === 0 ? 0 : wanted(hub) / weights),
      before: tally.before[host] ?? 0,
      after: tally.after[host] ?? 0,
      fresh: tally.fresh[host] ?? 0,
      operations,
      hours: hub && operations / identityOperationsPerMinute(hub) / MINUTES,
    };
  });
}

function warningsOn(
  { hubs, moves, rules, devices }: Omit<PlacementReport, 'warnings'>,
  { withoutInputs, withUnknown, unknown }: Tally,
  fleet: Fleet,
  leftOut: readonly string[],
): readonly string[] {
  const full = hubs.flatMap(({ host, after }) => {
    const capacity = fleet.hubs.find((hub) => hub.host === host)?.capacity;
    return capacity === undefined || after <= capacity
      ? []
      : [`${host} would have ${after} devices, more than its capacity of ${capacity}`];
  });
  const undecided = rules.filter(({ unknown }) => devices > 0 && unknown === devices).map(({ name }) => name);
  return [
    ...full,
    ...(moves.count > 0 && moves.overHours < moves.hours
      ? [
          `the moves need ${hoursText(moves.hours)} at the limit of ${moves.slowest}, but moves.over is ${hoursText(moves.overHours)}: raise moves.over, or DPS is throttled`,
        ]
      : []),
    ...(withoutInputs > 0 && leftOut.length === 0
      ? [`the registrations of ${withoutInputs} devices are not stored: rules about their inputs are unknown`]
      : []),
    ...(withUnknown > 0
      ? [
          `the last registrations of ${withUnknown} devices do not have all values that this file reads, because the file of that time did not read them: ${shownNames(unknown)}. What reads them is unknown until these devices register again, so more devices can move or be refused`,
        ]
      : []),
    ...(leftOut.length > 0
      ? [
          `synthetic devices have neither a payload nor gateways, so these rules are left out: ${leftOut.join(', ')}. Give --payload to try rules about the payload`,
        ]
      : []),
    ...(undecided.length > 0 && leftOut.length === 0
      ? [
          `these rules are unknown for all devices, because no device has the values that they read: ${undecided.join(', ')}`,
        ]
      : []),
  ];
}

const MOST_NAMES = 20;

/** The names that most devices lack, first. */
function shownNames(unknown: Tally['unknown']): string {
  const names = Object.entries(unknown).sort(
    ([left, count], [right, other]) => other - count || (left < right ? -1 : 1),
  );
  const shown = names.slice(0, MOST_NAMES).map(([name]) => name);
  const more = names.length - shown.length;
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`;
}

/** `5.6 h`, `9 min` */
export function hoursText(hours: number): string {
  return hours >= 1 || hours === 0 ? `${Number(hours.toFixed(1))} h` : `${Math.ceil(hours * MINUTES)} min`;
}

function mostFirst<Each extends { readonly count: number }>(groups: readonly Each[]): readonly Each[] {
  return groups.toSorted((left, right) => right.count - left.count);
}

function sum(groups: readonly { readonly count: number }[]): number {
  return groups.reduce((total, { count }) => total + count, 0);
}
