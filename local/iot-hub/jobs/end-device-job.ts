import type { JsonObject } from '../../../src/json/json.ts';
import { deviceJobEnded } from '../hub/events.ts';
import type { LocalHub } from '../hub/hub.ts';
import { addressOf } from '../model/address.ts';
import { formatDateTimeUtc } from '../model/instant.ts';
import type { DeviceJob } from '../model/job.ts';

/** How a job ended on one device or module. */
export interface DeviceJobEnd extends Pick<DeviceJob, 'outcome' | 'error'> {
  readonly status: 'completed' | 'failed' | 'canceled';
}

/** Ends a job on one device or module, and sends the event. */
export function endDeviceJob(hub: LocalHub, device: DeviceJob, end: DeviceJobEnd): void {
  const at = hub.tick();
  const time = formatDateTimeUtc(at);
  const ended: DeviceJob = { ...device, ...end, endTimeUtc: time, lastUpdatedDateTimeUtc: time };
  hub.jobs.putDevice(ended);
  const address = addressOf(device.deviceId, device.moduleId);
  hub.emit(deviceJobEnded(hub.origin(address, at), end.status, { ...ended } as JsonObject));
}
