import { isSameHub } from '../../iot-hub/index.ts';
import type { EnrollmentReprovisionPolicy } from '../enrollments/enrollment.ts';
import type { CurrentAssignment } from './allocation-request.ts';

/** The values of `substatus` in DPS (its data-plane API, `device.json`). */
export type Substatus =
  | 'initialAssignment'
  | 'deviceDataMigrated'
  | 'deviceDataReset'
  | 'reprovisionedToInitialAssignment';

/** The default of the portal and of enrollments without a policy: "reprovision and migrate data". */
export const DEFAULT_REPROVISION_POLICY: EnrollmentReprovisionPolicy = {
  updateHubAssignment: true,
  migrateDeviceData: true,
};

/** The changes on the hubs. `twin` is the source of the twin of a new device. */
export interface AssignmentPlan {
  readonly host: string;
  readonly substatus: Substatus;
  /** `keep`: only the key of the device changes. */
  readonly twin: 'keep' | 'initial' | 'migrated';
  /** The hub from which the device is removed. */
  readonly leave?: string;
}

/**
 * Decides what a registration changes (concepts-device-reprovision.md; concepts-custom-allocation.md of 09/2022 for
 * the choice of the twin). A first assignment and a change of hub under "reset" use the initial twin of the webhook
 * or, without one, of the enrollment. A migrated device keeps its twin, and so does a device that stays. Another host
 * name of the current hub counts as the same hub; the behavior of Azure is not documented.
 */
export function planAssignment(
  chosen: string,
  current: CurrentAssignment | undefined,
  policy: EnrollmentReprovisionPolicy,
): AssignmentPlan {
  if (current === undefined) return { host: chosen, substatus: 'initialAssignment', twin: 'initial' };
  const isSame = isSameHub(chosen, current.host);
  if (isSame || !policy.updateHubAssignment) {
    const isRenamed = isSame && chosen.toLowerCase() !== current.host.toLowerCase();
    const host = isRenamed ? chosen : current.host;
    return { host, substatus: 'reprovisionedToInitialAssignment', twin: 'keep' };
  }
  return policy.migrateDeviceData
    ? { host: chosen, substatus: 'deviceDataMigrated', twin: 'migrated', leave: current.host }
    : { host: chosen, substatus: 'deviceDataReset', twin: 'initial', leave: current.host };
}
