import { DpsError } from '../../../dps/port.ts';
import { BerthError } from '../../../errors.ts';
import { HubError } from '../../../hub/port.ts';
import type { HostName } from '../../../iot-hub/host-name.ts';

/** The error with the role that the sign-in of the operator lacks. The text of a hub names the roles of the app. */
export function withRoles(error: BerthError, host: HostName): BerthError {
  if (error instanceof HubError && error.code === 'BERTH_HUB_UNAUTHORIZED' && error.status !== undefined) {
    return new BerthError(
      error.code,
      `${host} refused the call (${error.status}). Your sign-in needs the role "IoT Hub Data Contributor" on ${host}, or "IoT Hub Registry Contributor" and "IoT Hub Data Reader".`,
    );
  }
  if (error instanceof DpsError && error.code === 'BERTH_DPS_UNAUTHORIZED') {
    return new BerthError(
      error.code,
      `${error.message} Your sign-in needs the role "Device Provisioning Service Data Reader" on the DPS.`,
    );
  }
  return error;
}
