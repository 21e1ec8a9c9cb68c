import { parseFleet } from '../src/fleet/file/parse.ts';
import { knownIn, snapshotAction } from '../src/store/twins/twin-rows.ts';
import type { EpochMs } from '../src/time/epoch-ms.ts';
import { tryTwin } from '../src/what-if/try-twin.ts';
import { TwinTally } from '../src/what-if/twin-tally.ts';
import { convergedTwin } from './converged-twin.ts';
import { pumpFleet } from './pump.ts';

/** A stored row of a pump, which is read and planned again and again. `readNext` only reads it. */
export function storedTwins(now: EpochMs): {
  readonly tryNext: () => void;
  readonly readNext: () => unknown;
} {
  const parsed = parseFleet(JSON.stringify(pumpFleet(6, 'S1')));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const snapshot = convergedTwin(6).take();
  const { id } = snapshot;
  const [, { partitionKey, rowKey, ...properties }] = snapshotAction(id, { kind: 'snapshot', snapshot }, '1');
  const row = { partitionKey, rowKey, etag: '1', properties };
  const trial = {
    fleet: parsed.fleet,
    against: undefined,
    hosts: new Set([id.host]),
    untrusted: new Set<string>(),
    now,
  };
  const tally = new TwinTally(5);
  return {
    readNext: () => knownIn(id, row),
    tryNext: () => tally.add(id, tryTwin(id, knownIn(id, row), trial)),
  };
}
