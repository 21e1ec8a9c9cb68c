import { parseArgs } from 'node:util';
import { isTier } from '../../src/iot-hub/throttles.ts';
import { startAzurite } from '../../test/support/azurite.ts';
import { machineLoad } from '../measure.ts';
import { boundMs, permittedPerSecond } from './bound.ts';
import { converge } from './convergence.ts';

// How fast Berth writes to many twins after a change of the fleet file, next to the bound that the throttles and the budget set.
//
// npm run bench:converge -- [devices] [hubs] [--tier S1] [--units 1] [--rate 0.5] [--throttle 0]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tier: { type: 'string', default: 'S1' },
    units: { type: 'string', default: '1' },
    rate: { type: 'string', default: '0.5' },
    throttle: { type: 'string', default: '0' },
  },
});
const { tier } = values;
if (!isTier(tier)) throw new Error(`Unknown tier ${tier}: use F1, S1, S2 or S3.`);
const change = {
  devices: Number(positionals[0] ?? 4_000),
  hubs: Number(positionals[1] ?? 2),
  tier,
  units: Number(values.units),
  rate: Number(values.rate),
};
/** Without this, a Berth that writes nothing would never end. */
const longestMs = 5 * boundMs(change) + 10 * 60_000;

const seconds = (ms: number | undefined) => (ms === undefined ? 'never' : (ms / 1_000).toFixed(1));
const load = machineLoad();
const azurite = await startAzurite();
try {
  const { devices, hubs, units, rate } = change;
  console.log(
    `${devices} twins on ${hubs} hubs ${tier} with ${units} units; budget ${rate}: ${permittedPerSecond(change)} writes a second on each hub`,
  );
  const found = await converge({
    change,
    storage: azurite.connectionString,
    longestMs,
    throttleRate: Number(values.throttle),
    progress: (text) => console.error(`  ${text}`),
  });
  const { firstWriteMs, lastWriteMs, inSyncMs, calls, refused } = found;
  const writingMs =
    firstWriteMs === undefined || lastWriteMs === undefined ? undefined : lastWriteMs - firstWriteMs;
  const ofBound = (ms: number | undefined) => (ms ? Number((found.boundMs / ms).toFixed(3)) : 'never');
  console.table({
    'bound, s': seconds(found.boundMs),
    'first write after, s': seconds(firstWriteMs),
    'from the first write to the last, s': seconds(writingMs),
    'last twin in sync after, s': seconds(inSyncMs),
    'bound / writing (goal 0.9)': ofBound(writingMs),
    'bound / whole': ofBound(inSyncMs),
    'calls of hubs': calls,
    'twin updates': found.writes,
    'twin reads': found.reads,
    'refused with 429': refused,
    'refused, % (goal 0.1)': calls === 0 ? 0 : Number(((100 * refused) / calls).toFixed(3)),
  });
  console.log(
    `${load.cores} cores (${load.model}), load ${load.perCore.toFixed(1)} for each core at the start, ` +
      `${machineLoad().perCore.toFixed(1)} at the end.`,
  );
} finally {
  await azurite.close();
}
