import { parseArgs } from 'node:util';
import { simulateStorm, type WhenThrottled } from './registration-storm.ts';

// Simulates a storm of first registrations on S1 hubs with one unit, with and without pacing by the webhook.

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '100000' },
    hubs: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const WHEN: readonly WhenThrottled[] = ['fails', 'asks again', 'waits for the hub'];
const storm = {
  devices: Number(values.devices),
  hubs: Number(values.hubs),
  hubPerMinute: 100,
  dpsPerMinute: 1_000,
  seed: Number(values.seed),
};
console.log(`${storm.devices} devices at once, ${storm.hubs} hubs S1, seed ${storm.seed}`);
console.log('The time that the throttles allow at best, and what happens with each assumption about DPS:');
console.table(
  WHEN.flatMap((whenThrottled) =>
    [false, true].map((pacing) => {
      const result = simulateStorm({ ...storm, whenThrottled, pacing });
      return {
        'a throttled registration': whenThrottled,
        pacing: pacing ? 'on' : 'off',
        'half (min)': Math.round(result.half),
        '99 % (min)': Math.round(result.nearlyAll),
        'all (min)': Math.round(result.minutes),
        'bound (min)': Math.round(result.bound),
        'final errors': result.finalErrors,
        '429 of DPS': result.refusedByDps,
        '429 of hubs': result.refusedByHubs,
        'webhook calls': result.webhookCalls,
        'answered 503': result.paced,
      };
    }),
  ),
);
