import { HubError } from '../../../hub/port.ts';
import type { DisabledDevice } from '../../../silent-devices/disabled-device.ts';
import { isOffline, type ListedRegistration } from '../../../silent-devices/drain-choice.ts';
import type { SeenIdentity } from '../../../silent-devices/next-step.ts';
import type { EpochMs } from '../../../time/epoch-ms.ts';
import type { DrainTools } from './tools.ts';

/** A device that was not disabled after all: what its identity was when it was read. */
export type NotDisabled =
  | 'registered'
  | 'disabled'
  | 'offline'
  | 'missing'
  | 'overtaken'
  | 'keysHidden'
  | 'inAnotherRun';

export interface DisableRequest {
  readonly deviceId: string;
  readonly registration: ListedRegistration;
  readonly mark: string;
  readonly author: string;
  readonly reason: string;
}

/**
 * Disables one device. The intent is stored before the call. So if the command ends at any point, the next run finds the device.
 *
 * @returns the stored document; its phase stays `disabling` if the answer of the hub was lost
 * @throws HubError if the hub has certainly not disabled it
 */
export async function disableDevice(
  { host, registry, dps, store, pace, now, waitMs }: DrainTools,
  { deviceId, registration, mark, author, reason }: DisableRequest,
): Promise<DisabledDevice | NotDisabled> {
  let intent: DisabledDevice | undefined;
  let whyNot: NotDisabled | undefined;
  await pace.dps();
  const record = await dps.registration(registration.registrationId);
  // The device has registered since the list, so it is not silent.
  if (record?.updatedAt !== registration.updatedAt) return 'registered';
  await pace.identity(2);
  try {
    const result = await registry.changeStatus(deviceId, async (identity) => {
      whyNot = whyNotNow(identity, now(), waitMs);
      if (whyNot !== undefined) return undefined;
      const wanted: DisabledDevice = {
        host,
        deviceId,
        registrationId: registration.registrationId,
        phase: 'disabling',
        mark,
        reasonBefore: identity.statusReason,
        etag: null,
        registeredAt: registration.updatedAt,
        disabledAt: now(),
        enabledAt: null,
        author,
        reason,
      };
      if (!(await store.begin(wanted))) {
        whyNot = 'inAnotherRun';
        return undefined;
      }
      intent = wanted;
      return { status: 'disabled', statusReason: mark };
    });
    if (result.kind === 'changed' && intent !== undefined) {
      return await store.change(intent, { phase: 'disabled', etag: result.etag, disabledAt: now() });
    }
    if (intent !== undefined) await store.remove(intent);
    return result.kind === 'kept' || result.kind === 'changed' ? (whyNot ?? 'overtaken') : result.kind;
  } catch (error) {
    if (intent === undefined || !(error instanceof HubError)) throw error;
    if (error.mayHaveApplied) return intent;
    await store.remove(intent);
    throw error;
  }
}

function whyNotNow(identity: SeenIdentity, now: EpochMs, waitMs: number): NotDisabled | undefined {
  if (identity.status === 'disabled') return 'disabled';
  return isOffline(identity, now, waitMs) ? 'offline' : undefined;
}
