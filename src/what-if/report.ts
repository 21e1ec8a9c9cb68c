import type { Why } from '../allocation/decision/decide.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import { DPS_REGISTRATIONS_PER_MINUTE, identityOperationsPerMinute } from '../iot-hub/throttles.ts';
import { ownEntry } from '../json/json.ts';
import type { Move, RefusedDevices, Tally } from './tally.ts';

/** What a fleet file would do to a fleet. */
export interface PlacementReport {
  readonly revision: string;
  readonly devices: number;
  readonly hubs: readonly HubReport[];
  readonly moves: {
    readonly count: number;
    /** Those of them that no gradual move spreads: they move at their next registration. */
    readonly atOnce: number;
    /** The most devices first. */
    readonly groups: readonly Move[];
    /** What the hubs and DPS need at the least to carry them out. */
    readonly hours: number;
    /** The one that takes longest. */
    readonly slowest: string | undefined;
    /** Over which the fleet file spreads drains and moves to faster hubs. */
    readonly overHours: number;
  };
  /** Devices that could not be placed any more. */
  readonly refused: {
    readonly count: number;
    readonly groups: readonly RefusedDevices[];
    /** Devices that were refused before too; not counted above. */
    readonly asBefore: number;
  };
  readonly rules: readonly RuleReport[];
  readonly warnings: readonly string[];
}

export interface HubReport {
  readonly host: string;
  /** Undefined: it is not in the fleet file. */
  readonly weight: number | undefined;
  /** Part of the weights; a draining hub wants none. */
  readonly wanted: number | undefined;
  readonly before: number;
  readonly after: number;
  /** Of all the devices if they were new. */
  readonly fresh: number;
  /** Identities that DPS creates and deletes here for the moves. */
  readonly operations: number;
  /** Hours that they need at the hub's limit. */
  readonly hours: number | undefined;
}

export interface RuleReport {
  readonly name: string;
  readonly matched: number;
  readonly unknown: number;
}

const MINUTES = 60;
/** The reasons that `moves.over` spreads. */
const GRADUAL: readonly Why[] = ['its hub drains', 'another hub is faster'];

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
  { withoutInputs }: Tally,
  fleet: Fleet,
  leftOut: readonly string[],
): readonly string[] {
  const full = hubs.flatMap(({ host, after }) => {
    const capacity = fleet.hubs.find((hub) => hub.host === host)?.capacity;
    return capacity === undefined || after <= capacity
      ? []
      : [`${host} would hold ${after} devices, and its capacity is ${capacity}`];
  });
  const undecided = rules.filter(({ unknown }) => devices > 0 && unknown === devices).map(({ name }) => name);
  return [
    ...full,
    ...(moves.count > 0 && moves.overHours < moves.hours
      ? [
          `the moves need ${hoursText(moves.hours)} at the limit of ${moves.slowest}, and moves.over is ${hoursText(moves.overHours)}: DPS would be throttled`,
        ]
      : []),
    ...(withoutInputs > 0 && leftOut.length === 0
      ? [`of ${withoutInputs} devices nobody knows what they registered with: their rules are unknown`]
      : []),
    ...(leftOut.length > 0
      ? [
          `synthetic devices send nothing: left out are the rules ${leftOut.join(', ')}; give --payload to try them`,
        ]
      : []),
    ...(undecided.length > 0 && leftOut.length === 0
      ? [`no device has what these rules read, they are unknown for all: ${undecided.join(', ')}`]
      : []),
  ];
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
