import * as z from 'zod';
import type { HostName } from '../iot-hub/host-name.ts';
import type { DocumentFormat } from '../json/document-format.ts';
import { epochMsSchema } from '../time/epoch-ms-schema.ts';

/**
 * Where a device is, that `berth hub drain --disable-silent` has disabled.
 * - `disabling`: stored before the call. Whether the hub has carried it out is not known.
 * - `disabled`: the hub has disabled it.
 * - `enabling`: stored before the call that enables it again.
 * - `enabled`: enabled again. Berth waits until it connects.
 * - `cameBack`, `lost`: enabled again, and connected or not connected within the time. It did not move.
 * - `leftDisabled`: it moved, and its old identity is still there, disabled.
 * - `disabledThere`: it moved, and its identity in the new hub is disabled.
 * - `changed`: another writer has changed its identity meanwhile, or disabled it again. Berth leaves it alone.
 */
export const DISABLED_PHASES = [
  'disabling',
  'disabled',
  'enabling',
  'enabled',
  'cameBack',
  'lost',
  'leftDisabled',
  'disabledThere',
  'changed',
] as const;
export type DisabledPhase = (typeof DISABLED_PHASES)[number];

const disabledDeviceSchema = z.object({
  host: z.string().transform((host) => host as HostName),
  deviceId: z.string(),
  registrationId: z.string(),
  phase: z.enum(DISABLED_PHASES),
  /** The status reason that Berth writes into the identity. It differs from run to run. */
  mark: z.string(),
  /** The status reason before. It is written back when the device is enabled again. */
  reasonBefore: z.string().nullable(),
  /** The ETag of the identity after Berth has disabled it. Null: not known yet. */
  etag: z.string().nullable(),
  /** `lastUpdatedDateTimeUtc` of the registration record before. A registration of the device changes it. */
  registeredAt: z.string(),
  disabledAt: epochMsSchema,
  /** Null: not enabled again yet. */
  enabledAt: epochMsSchema.nullable(),
  author: z.string(),
  reason: z.string(),
});

/** One device that Berth has disabled to let it register again, or is about to disable. */
export type DisabledDevice = Readonly<z.output<typeof disabledDeviceSchema>>;

/** The format of disabled devices. A change of the schema is a new format with a step. */
export const DISABLED_DEVICE_FORMAT: DocumentFormat<DisabledDevice> = {
  document: 'disabled device',
  steps: [],
  read: (document) => disabledDeviceSchema.safeParse(document).data,
};

/** The phases in which the identity is, or may be, disabled by Berth, or in which its device has not been seen yet. */
const OPEN: ReadonlySet<DisabledPhase> = new Set(['disabling', 'disabled', 'enabling', 'enabled']);

/** Whether Berth still has to do something with the device. */
export function isOpen({ phase }: Pick<DisabledDevice, 'phase'>): boolean {
  return OPEN.has(phase);
}

/** Whether the identity is, or may be, disabled by Berth and must be enabled again. */
export function isOut({ phase }: Pick<DisabledDevice, 'phase'>): boolean {
  return phase === 'disabling' || phase === 'disabled' || phase === 'enabling';
}

/**
 * The status reason of the identity of a disabled device. A person who finds it in the portal reads what happened, and Berth knows
 * by it what it disabled itself. A hub takes 128 characters (REST API of IoT Hub, "Create or update identity").
 *
 * @param run identifies one run of the command.
 */
export function markOf(run: string): string {
  return `disabled by berth hub drain --disable-silent, run ${run}`;
}
