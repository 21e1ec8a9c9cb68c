import { type DisabledDevice, isOpen } from '../../../silent-devices/disabled-device.ts';
import {
  choiceOf,
  type Drain,
  type DrainChoice,
  type LeaveReason,
  type ListedDevice,
  type ListedRegistration,
} from '../../../silent-devices/drain-choice.ts';
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

/** What the command would do now with the devices that are still in the hub. */
export async function planOf(
  { state, tools }: DrainSession,
  { again, waitMs }: { readonly again: boolean; readonly waitMs: number },
  drain: Drain,
  { listedAt, devices, registrations }: Inventory,
  before: readonly DisabledDevice[],
): Promise<DrainPlan> {
  const now = tools.now();
  const isKeptOut = await state.keptOut.read();
  const known = new Map(before.map((device) => [device.deviceId, device] as const));
  const scopesHere = new Set(devices.flatMap(({ ownScope }) => ownScope ?? []));
  const chosen = devices
    .filter(({ deviceId }) => {
      const row = known.get(deviceId);
      return row === undefined || !isOpen(row);
    })
    .map((device): { readonly device: ListedDevice; readonly choice: DrainChoice } => {
      const { deviceId } = device;
      const choice = choiceOf({
        device,
        registration: registrations.get(deviceId),
        drain,
        isKeptOut: isKeptOut(deviceId),
        before: known.get(deviceId),
        triesAgain: again,
        scopesHere,
        now,
        listedAt,
        waitMs,
      });
      return { device, choice };
    });
  return {
    disable: chosen.flatMap(({ device: { deviceId }, choice }) =>
      choice.kind === 'disable' ? [{ deviceId, registration: choice.registration }] : [],
    ),
    leave: chosen.flatMap(({ device: { deviceId }, choice }) =>
      choice.kind === 'leave' ? [{ deviceId, why: choice.why }] : [],
    ),
  };
}
