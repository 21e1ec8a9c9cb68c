import { isSameHub } from '../../iot-hub/index.ts';
import type { EnrollmentReprovisionPolicy } from '../enrollments/enrollment.ts';
import type { CurrentAssignment } from './allocation-request.ts';

/** DPS's words for what a registration did (its data-plane API, `device.json`). */
export type Substatus =
  | 'initialAssignment'
  | 'deviceDataMigrated'
  | 'deviceDataReset'
  | 'reprovisionedToInitialAssignment';

/** The default of the portal, and of enrollments that say nothing: "reprovision and migrate data". */
export const DEFAULT_REPROVISION_POLICY: EnrollmentReprovisionPolicy = {
  updateHubAssignment: true,
  migrateDeviceData: true,
};

/** What to do on the hubs. `twin` says where the twin of a device comes from that is created. */
export interface AssignmentPlan {
  readonly host: string;
  readonly substatus: Substatus;
  /** `keep`: the device stays as it is, but for its key. */
  readonly twin: 'keep' | 'initial' | 'migrated';
  /** The hub from which the device is removed. */
  readonly leave?: string;
}

/**
 * Decides what a registration does (concepts-device-reprovision.md, and concepts-custom-allocation.md of
 * 09/2022 on which twin wins): the initial twin, the webhook's if it gave one, else the enrollment's, counts
 * for a first assignment and for a change of hub under "reset"; a migrated twin beats it, and a device that
 * stays keeps its twin. Another host name of the current hub is no other hub: whether Azure takes it for a move is
 * not documented.
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
