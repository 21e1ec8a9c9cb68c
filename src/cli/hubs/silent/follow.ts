import { BerthError } from '../../../errors.ts';
import { HubError } from '../../../hub/port.ts';
import { type DisabledDevice, isOut } from '../../../silent-devices/disabled-device.ts';
import {
  type DisableResult,
  type DrainStep,
  nextDrainStep,
  type SeenDevice,
} from '../../../silent-devices/next-step.ts';
import { type EpochMs, earlierOf, plus } from '../../../time/epoch-ms.ts';
import { seenRegistration } from './inventory.ts';
import { resultText } from './texts.ts';
import type { DrainTools } from './tools.ts';

/** How often DPS, or the hub, is asked about a device. */
const LONGEST_POLL_MS = 15_000;
const SHORTEST_POLL_MS = 1_000;
/** A hub or DPS that does not answer this often in a row ends the run. */
const MOST_FAILURES = 20;
/** Each step changes what is known. A device that needs more is changed by another writer again and again. */
const MOST_STEPS = 20;

/** Devices after they were disabled. */
export interface Followed {
  readonly results: ReadonlyMap<string, DisableResult>;
  /** Devices without a result: the run was ended, or a call failed. */
  readonly open: readonly DisabledDevice[];
  /** The first failure of a call that ended the run. */
  readonly failure: BerthError | undefined;
}

/**
 * Follows disabled devices until each has a result: it has moved, or it was enabled again and has connected or not. If the run is
 * ended, or a call fails for good, it enables again what is still disabled.
 */
export async function followDevices(
  tools: DrainTools,
  devices: readonly DisabledDevice[],
): Promise<Followed> {
  const results = new Map<string, DisableResult>();
  const open = new Map(devices.map((device) => [device.deviceId, device] as const));
  const failures = new Map<string, number>();
  const given: DisabledDevice[] = [];
  let failure: BerthError | undefined;
  const isEnding = () => tools.isEnding() || failure !== undefined;
  while (open.size > 0) {
    let next = plus(tools.now(), pollMs(tools));
    for (const device of open.values()) {
      try {
        const followed = await followDevice(tools, device, isEnding());
        failures.delete(device.deviceId);
        if (followed.kind === 'settled') {
          results.set(device.deviceId, followed.result);
          open.delete(device.deviceId);
          tools.report(`${device.deviceId}: ${resultText(followed.result)}`);
        } else {
          open.set(device.deviceId, followed.device);
          next = earlierOf(next, followed.until);
        }
      } catch (error) {
        if (!(error instanceof BerthError)) throw error;
        const count = (failures.get(device.deviceId) ?? 0) + 1;
        failures.set(device.deviceId, count);
        if (error.kind === 'transient' && count < MOST_FAILURES) continue;
        failure ??= error;
        open.delete(device.deviceId);
        given.push(device);
      }
    }
    if (isEnding()) {
      // Enabled devices need nothing more. The next run sees whether they have connected.
      for (const device of [...open.values()].filter((each) => !isOut(each))) {
        open.delete(device.deviceId);
        given.push(device);
      }
    }
    if (open.size === 0) break;
    try {
      await tools.renew();
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      failure ??= error;
    }
    await tools.wait(Math.max(0, next - tools.now()));
  }
  return { results, open: given, failure };
}

function pollMs({ waitMs }: DrainTools): number {
  return Math.min(LONGEST_POLL_MS, Math.max(SHORTEST_POLL_MS, waitMs / 10));
}

type FollowedDevice =
  | { readonly kind: 'settled'; readonly result: DisableResult }
  | { readonly kind: 'waiting'; readonly device: DisabledDevice; readonly until: EpochMs };

/** Performs the steps of one device until it has a result or waits. */
async function followDevice(
  tools: DrainTools,
  before: DisabledDevice,
  isEnding: boolean,
): Promise<FollowedDevice> {
  const { dps, pace, waitMs, now } = tools;
  await pace.dps();
  const record = await dps.registration(before.registrationId);
  let device = before;
  let seen: SeenDevice = {
    now: now(),
    waitMs,
    isEnding,
    registration: record && seenRegistration(record),
    identity: 'unread',
    there: 'unread',
  };
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    const step = nextDrainStep(device, { ...seen, now: now() });
    if (step.kind === 'wait') return { kind: 'waiting', device, until: step.until };
    if (step.kind === 'settle') {
      await store(tools, device, step.result);
      return { kind: 'settled', result: step.result };
    }
    ({ device, seen } = await perform(tools, device, seen, step));
  }
  throw new BerthError(
    'BERTH_DRAIN_UNFINISHED',
    `Other writers change the identity of ${device.deviceId} in ${device.host} again and again.`,
  );
}

type Known = { readonly device: DisabledDevice; readonly seen: SeenDevice };

async function perform(
  tools: DrainTools,
  device: DisabledDevice,
  seen: SeenDevice,
  step: Exclude<DrainStep, { readonly kind: 'wait' | 'settle' }>,
): Promise<Known> {
  const { registry, pace, store: stored } = tools;
  switch (step.kind) {
    case 'readIdentity':
      await pace.identity(1);
      return { device, seen: { ...seen, identity: (await registry.read(device.deviceId)) ?? 'missing' } };
    case 'readThere':
      return { device, seen: { ...seen, there: await tools.statusThere(step.host, device.deviceId) } };
    case 'note':
      return { device: await stored.change(device, step.change), seen };
    case 'enable':
      return { device: await enable(tools, device, step.etag), seen: { ...seen, identity: 'unread' } };
  }
}

/** Enables a device again, with the status reason that it had before. Stores the intent first. */
async function enable(
  { registry, store: stored, pace, now }: DrainTools,
  before: DisabledDevice,
  etag: string,
): Promise<DisabledDevice> {
  const device = await stored.change(before, { phase: 'enabling' });
  await pace.identity(2);
  const result = await registry.changeStatus(device.deviceId, async (identity) =>
    identity.etag === etag ? { status: 'enabled', statusReason: device.reasonBefore } : undefined,
  );
  if (result.kind === 'keysHidden') {
    throw new HubError(
      'BERTH_HUB_UNAUTHORIZED',
      `${device.host} does not show the keys of ${device.deviceId}, and an update without them would replace them.`,
      { host: device.host },
    );
  }
  // Otherwise the identity is read again, and the next step follows from it.
  if (result.kind !== 'changed') return device;
  return stored.change(device, { phase: 'enabled', etag: result.etag, enabledAt: now() });
}

async function store({ store: stored }: DrainTools, device: DisabledDevice, result: DisableResult) {
  if (result === 'moved' || result === 'notDisabled') await stored.remove(device);
  else await stored.change(device, { phase: result });
}
