import { type DisabledDevice, isOpen } from '../../../silent-devices/disabled-device.ts';
import {
  choiceOf,
  type DrainChoice,
  type HubDrain,
  type LeaveReason,
  type ListedDevice,
  type ListedRegistration,
} from '../../../silent-devices/drain-choice.ts';
import type { EpochMs } from '../../../time/epoch-ms.ts';
import type { AskedTimes } from './asked-times.ts';
import type { Inventory } from './inventory.ts';
import type { DrainSession } from './session.ts';

/** A device that is disabled in one of the next waves. */
export interface DeviceToDisable {
  readonly deviceId: string;
  readonly registration: ListedRegistration;
}

/** What the command would do now. */
export interface DrainPlan {
  readonly disable: readonly DeviceToDisable[];
  readonly leave: readonly { readonly deviceId: string; readonly why: LeaveReason }[];
}

/** The rows of the hub. Rows that cannot be read are told, because their devices may be disabled. */
export async function storedDevices({ state, tools }: DrainSession): Promise<readonly DisabledDevice[]> {
  const { devices, damaged } = await state.disabledDevices.list(tools.host);
  for (const key of damaged) {
    tools.report(
      `The row disabled-devices/${key} of berthstate is damaged. Look at the identity of this device: if its status reason begins with "disabled by berth hub drain", enable it.`,
    );
  }
  return devices;
}

/** What a plan needs besides the inventory and the stored devices. */
export interface PlanTerms {
  readonly drain: HubDrain;
  readonly asked: AskedTimes;
  /** Whether devices that did not move in an earlier run are disabled again. */
  readonly again: boolean;
}

/** What the command would do now with the devices that are still in the hub. */
export async function planOf(
  { state, tools }: DrainSession,
  { drain, asked, again }: PlanTerms,
  { listedAt, devices, registrations }: Inventory,
  before: readonly DisabledDevice[],
): Promise<DrainPlan> {
  const isKeptOut = await state.keptOut.read();
  const known = new Map(before.map((device) => [device.deviceId, device] as const));
  const scopesHere = new Set(devices.flatMap(({ ownScope }) => ownScope ?? []));
  const choose = (device: ListedDevice, askedAt: EpochMs | undefined): DrainChoice => {
    const { deviceId } = device;
    return choiceOf({
      device,
      registration: registrations.get(deviceId),
      drain,
      isKeptOut: isKeptOut(deviceId),
      askedAt,
      before: known.get(deviceId),
      triesAgain: again,
      scopesHere,
      now: tools.now(),
      listedAt,
      waitMs: tools.waitMs,
    });
  };
  const closed = devices.filter(({ deviceId }) => {
    const row = known.get(deviceId);
    return row === undefined || !isOpen(row);
  });
  // A request only makes the time of a device longer. So only the snapshots of the others are read.
  const reached = closed.filter((device) => choose(device, undefined).kind === 'disable');
  const askedAt = await asked.of(reached.map(({ deviceId }) => deviceId));
  const disable: DeviceToDisable[] = [];
  const leave: { readonly deviceId: string; readonly why: LeaveReason }[] = [];
  for (const device of closed) {
    const { deviceId } = device;
    const choice = choose(device, askedAt.get(deviceId));
    if (choice.kind === 'disable') disable.push({ deviceId, registration: choice.registration });
    else leave.push({ deviceId, why: choice.why });
  }
  return { disable, leave };
}
