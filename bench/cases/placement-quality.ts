import { overloaded } from '../../src/allocation/score/load.ts';
import { bestOf, scoreHubs, type WeightedHub } from '../../src/allocation/score/placement.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { type Figure, figureOf } from '../measure.ts';

/** The weights of the hubs, as in a fleet with hubs of different sizes. */
const WEIGHTS = [1, 1, 2, 2, 3, 4, 5, 8];
/** `allocation.load.epsilon` of the run with a cap. */
const EPSILON = 0.01;
/** Devices that register between two counts of the hubs. */
const COUNTED_EVERY = 1_000;

export interface PlacementQuality {
  readonly devices: number;
  /** The largest difference of a hub's devices from its share of the weights, as a part of this share. */
  readonly shareError: number;
  /** The standard error of this difference for the smallest hub: what independent random draws have. */
  readonly standardError: number;
  /** Devices that move when a hub is added, as a ratio to the least number that gives the new hub its share. */
  readonly addMoves: number;
  /** The same when the weight of a hub is doubled. */
  readonly reweighMoves: number;
  /** The largest number of devices of a hub above its cap when all register, as a part of the cap. */
  readonly aboveCap: number;
  /** Devices that did not get their best hub because it was above its cap, as a part of all. */
  readonly spilled: number;
}

/** Places devices by their ids, without rules or latencies. */
export function placementQuality(devices: number): PlacementQuality {
  const names = Array.from({ length: devices }, (_, number) => `device-${String(number).padStart(7, '0')}`);
  const hubs = hubsOf(WEIGHTS);
  const doubled = hubsOf(WEIGHTS.map((weight, index) => (index === 2 ? 2 * weight : weight)));
  const added = hubsOf([...WEIGHTS, 3]);
  const counts = new Map<string, number>();
  const [ofDoubled, ofAdded] = [
    { moved: 0, least: 0 },
    { moved: 0, least: 0 },
  ];
  const sum = WEIGHTS.reduce((all, weight) => all + weight, 0);
  for (const name of names) {
    const host = winner(name, hubs);
    counts.set(host, (counts.get(host) ?? 0) + 1);
    ofDoubled.moved += Number(winner(name, doubled) !== host);
    ofAdded.moved += Number(winner(name, added) !== host);
  }
  ofDoubled.least = devices * (4 / (sum + 2) - 2 / sum);
  ofAdded.least = devices * (3 / (sum + 3));
  const errors = hubs.map(({ host, weight }) => {
    const share = (devices * weight) / sum;
    return Math.abs((counts.get(host) ?? 0) - share) / share;
  });
  const smallest = 1 / sum;
  return {
    devices,
    shareError: Math.max(...errors),
    standardError: Math.sqrt((1 - smallest) / (smallest * devices)),
    addMoves: ofAdded.moved / ofAdded.least,
    reweighMoves: ofDoubled.moved / ofDoubled.least,
    ...spillOf(names, hubs),
  };
}

/** All devices register one after the other, and the hubs are counted from time to time, as `resyncFleet` does. */
function spillOf(
  names: readonly string[],
  hubs: readonly WeightedHub[],
): Pick<PlacementQuality, 'aboveCap' | 'spilled'> {
  const counts = new Map(hubs.map(({ host }) => [host, 0]));
  let over: ReadonlySet<string> = new Set();
  let spilled = 0;
  for (const [index, name] of names.entries()) {
    if (index > 0 && index % COUNTED_EVERY === 0) {
      const sharers = hubs.map(({ host, weight }) => ({ host, weight, devices: counts.get(host) }));
      over = overloaded(sharers, EPSILON);
    }
    const scored = scoreHubs(name, '', hubs);
    const free = scored.filter(({ hub }) => !over.has(hub.host));
    const host = bestOf(free.length > 0 ? free : scored)?.hub.host;
    if (host === undefined) continue;
    if (host !== bestOf(scored)?.hub.host) spilled += 1;
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  const sum = hubs.reduce((all, { weight }) => all + weight, 0);
  const above = hubs.map(({ host, weight }) => {
    const cap = ((1 + EPSILON) * names.length * weight) / sum;
    return ((counts.get(host) ?? 0) - cap) / cap;
  });
  return { aboveCap: Math.max(0, ...above), spilled: spilled / names.length };
}

/** The figures of a run, each a ratio to the best that is possible. */
export function placementFigures(quality: PlacementQuality): readonly Figure[] {
  const { shareError, standardError, addMoves, reweighMoves, aboveCap, spilled } = quality;
  const figure = (name: string, what: string, ratio: number) => figureOf({ name, what }, [ratio], 0);
  return [
    figure(
      'placement-share',
      'largest error of a share / standard error of random draws',
      shareError / standardError,
    ),
    figure('placement-add', 'devices that move to a new hub / the least number', addMoves),
    figure('placement-reweigh', 'devices that move after a doubled weight / the least number', reweighMoves),
    figure('placement-cap', `devices of a hub / its cap of ${1 + EPSILON} times its share`, 1 + aboveCap),
    figure('placement-spill', `devices not on their best hub because of the cap / all`, spilled),
  ];
}

function hubsOf(weights: readonly number[]): readonly WeightedHub[] {
  return weights.map((weight, index) => ({ host: hostName(`hub-${index}.azure-devices.net`), weight }));
}

function winner(name: string, hubs: readonly WeightedHub[]): string {
  return bestOf(scoreHubs(name, '', hubs))?.hub.host ?? '';
}
