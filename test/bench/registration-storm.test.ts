import { describe, expect, it } from '@jest/globals';
import { EventQueue } from '../../bench/storm/event-queue.ts';
import { type Storm, simulateStorm } from '../../bench/storm/registration-storm.ts';

const STORM: Storm = {
  devices: 3_000,
  hubs: 4,
  hubPerMinute: 100,
  dpsPerMinute: 1_000,
  whenThrottled: 'fails',
  pacing: false,
  seed: 1,
};
const ASSUMPTIONS = ['fails', 'asks again', 'waits for the hub'] as const;

describe('the simulated storm of registrations', () => {
  for (const whenThrottled of ASSUMPTIONS) {
    for (const pacing of [false, true]) {
      it(`gives every device a hub, no faster than the throttles allow (${whenThrottled}, pacing ${pacing})`, () => {
        const result = simulateStorm({ ...STORM, whenThrottled, pacing });
        expect(result.minutes).toBeGreaterThanOrEqual(result.bound);
        expect(result.half).toBeLessThan(result.nearlyAll);
        // Each call of the webhook is answered with 503, or with a hub, which takes the device or throttles.
        const tries = result.webhookCalls - result.paced;
        if (whenThrottled === 'waits for the hub') expect(tries).toBeGreaterThanOrEqual(STORM.devices);
        else expect(tries).toBe(STORM.devices + result.refusedByHubs);
      });
    }
  }

  it('has the same result for the same seed, and another for another', () => {
    expect(simulateStorm(STORM)).toEqual(simulateStorm(STORM));
    expect(simulateStorm({ ...STORM, seed: 2 })).not.toEqual(simulateStorm(STORM));
  });

  it('refuses no device, with pacing or without, if the hubs can create all devices', () => {
    for (const pacing of [false, true]) {
      const result = simulateStorm({ ...STORM, devices: 900, hubPerMinute: 250, pacing });
      expect(result).toMatchObject({ paced: 0, refusedByHubs: 0, refusedByDps: 0, finalErrors: 0 });
      expect(result.webhookCalls).toBe(900);
    }
  });

  it('shows that hubs see fewer refused calls with pacing', () => {
    const paced = simulateStorm({ ...STORM, devices: 10_000, whenThrottled: 'asks again', pacing: true });
    const plain = simulateStorm({ ...STORM, devices: 10_000, whenThrottled: 'asks again' });
    expect(paced.refusedByHubs).toBeLessThan(plain.refusedByHubs / 5);
  });
});

describe('the queue of events', () => {
  it('gives the earliest event first, and events of one time in the order of their arrival', () => {
    const queue = new EventQueue<string>();
    for (const [at, name] of [
      [3, 'd'],
      [1, 'a'],
      [2, 'b'],
      [2, 'c'],
      [9, 'e'],
    ] as const)
      queue.add(at, name);
    const names: string[] = [];
    for (let next = queue.next(); next !== undefined; next = queue.next()) names.push(next.event);
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
