import type { Control } from '../../../src/control/control.ts';
import { contentOf } from '../../../src/control/rollouts.ts';
import type { Policy } from '../../../src/fleet/fleet.ts';
import { type JsonValue, sameJson } from '../../../src/json/json.ts';
import { type EpochMs, earlierOf, plus } from '../../../src/time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../../../src/time/instant.ts';
import { valueAt } from '../../../src/twin/snapshot/merge.ts';
import { twinKey } from '../../../src/twin/snapshot/twin.ts';
import type { Device, Simulation } from './simulation.ts';

const MINUTE = 60_000;

/** The first write of a content to one property. */
interface FirstWrite {
  readonly path: string;
  readonly content: string;
  readonly at: Instant;
  /** What the content has written there since. */
  readonly values: readonly JsonValue[];
}

/**
 * No content was written to a device before its stage had reached the device. Two kinds of writes may come at any later time,
 * as after an edit of another writer: to a device that has a part of the content, and to a device that had all these values
 * when the stage reached it.
 *
 * @param mostSkewMs how far the clock of an instance may be from the true time
 */
export function checkFirstWrites(
  simulation: Simulation,
  device: Device,
  mostSkewMs: number,
): readonly string[] {
  const reached = new Set<string>();
  const writes = firstWrites(simulation, device);
  return writes.flatMap(({ path, content, at }) => {
    const policy = simulation.content(content);
    if (policy === undefined || reached.has(content)) return [];
    const ofContent = writes.filter((each) => each.content === content);
    const isReached =
      reachesAt(simulation, policy, device, millisecondsOf(at), mostSkewMs) ||
      hadAllWhenReached(simulation, policy, device, ofContent, millisecondsOf(at));
    // A device that was reached once keeps the content, also after a pause or an abort.
    if (isReached) reached.add(content);
    return isReached
      ? []
      : [`${twinKey(device.id)}: ${policy.name} wrote ${path} before its stage had begun`];
  });
}

/** In the order of time. */
function firstWrites({ store }: Simulation, { id }: Device): readonly FirstWrite[] {
  const known = store.known(id);
  if (known.kind !== 'snapshot') return [];
  return Object.entries(known.snapshot.paths)
    .flatMap(([path, { replaced, writes }]): FirstWrite[] => {
      if (replaced === undefined) return [];
      const { policy: content, at } = replaced;
      const values = writes.flatMap(({ policy, value }) => (policy === content ? [value] : []));
      return [{ path, content, at, values }];
    })
    .sort((one, other) => (one.at < other.at ? -1 : 1));
}

/** Whether a device gets a content that it does not have, at a time by the clock of any instance. */
function reachesAt(
  simulation: Simulation,
  policy: Policy,
  device: Device,
  writtenAt: EpochMs,
  mostSkewMs: number,
): boolean {
  // The instance that began the stage may be behind, and the one that wrote ahead; windows open and close meanwhile.
  const times = [-2 * mostSkewMs, 0, 2 * mostSkewMs].map((ms) => plus(writtenAt, ms));
  const { controls } = simulation.store;
  return controls.some(({ at: from, control }, index) => {
    const next = controls[index + 1]?.at;
    return times.some((at) => {
      const until = next === undefined ? at : earlierOf(at, next);
      return from <= at && contentAt(simulation, policy, device, control, until).kind === 'new';
    });
  });
}

/**
 * Whether the stage reached the device at a time before these writes, when the device had all that they wrote already. There
 * was nothing to write then, and the first write is a correction or a repetition.
 */
function hadAllWhenReached(
  simulation: Simulation,
  policy: Policy,
  device: Device,
  writes: readonly FirstWrite[],
  until: EpochMs,
): boolean {
  const { store, hub } = simulation;
  const states = hub.desired.get(twinKey(device.id)) ?? [];
  const hasAll = states.map(({ values }) =>
    writes.every(({ path, values: written }) => {
      const found = valueAt(values, path.split('.')) ?? null;
      return written.some((value) => sameJson(value, found));
    }),
  );
  return store.controls.some(({ at: from, control }, index) => {
    const to = earlierOf(store.controls[index + 1]?.at ?? until, until);
    for (let at = from; at < to; at = plus(at, MINUTE)) {
      const state = states.findLastIndex((each) => each.at <= at);
      if (hasAll[state] === true && contentAt(simulation, policy, device, control, at).kind === 'new')
        return true;
    }
    return false;
  });
}

/** What a device that has nothing gets, by a control row and a time. */
function contentAt(simulation: Simulation, policy: Policy, { id }: Device, control: Control, now: EpochMs) {
  const { host, deviceId } = id;
  const contents = new Map(
    simulation.fleets.flatMap(({ twins }) => twins.policies).map((each) => [each.hash, each] as const),
  );
  const device = {
    host,
    deviceId,
    matches: () => deviceId === 'dev-0',
    timeZone: () => 'UTC',
    hasContent: () => false,
    wasReached: () => false,
  };
  return contentOf(control, policy, device, contents, now);
}
