import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import type { Address } from './address.ts';

/*
 * Jobs: iot-hub-devguide-jobs.md and the REST API "Jobs". All times are texts in UTC.
 */

/** What a job does on each of its devices. */
export type JobTask =
  | { readonly type: 'scheduleDeviceMethod'; readonly cloudToDeviceMethod: JsonObject }
  | { readonly type: 'scheduleUpdateTwin'; readonly updateTwin: JsonObject };

export type JobStatus = 'queued' | 'scheduled' | 'running' | 'completed' | 'failed' | 'cancelled';

export interface HubJob {
  readonly jobId: string;
  readonly task: JobTask;
  readonly queryCondition: string;
  readonly createdTime: string;
  readonly startTime: string;
  readonly endTime?: string;
  readonly maxExecutionTimeInSeconds: number;
  readonly status: JobStatus;
  readonly failureReason?: string;
}

export type DeviceJobStatus = 'pending' | 'running' | 'completed' | 'failed' | 'canceled';

/** What a job did on one device or module: a document of `devices.jobs`. */
export interface DeviceJob extends Address {
  readonly jobId: string;
  readonly jobType: JobTask['type'];
  readonly status: DeviceJobStatus;
  readonly createdDateTimeUtc: string;
  readonly lastUpdatedDateTimeUtc: string;
  readonly startTimeUtc?: string;
  readonly endTimeUtc?: string;
  readonly outcome?: { readonly deviceMethodResponse: JsonValue };
  readonly error?: { readonly code: string; readonly description: string };
}

/** Whether a job or a device job has ended. */
export function hasEnded(status: JobStatus | DeviceJobStatus): boolean {
  return ['completed', 'failed', 'cancelled', 'canceled'].includes(status);
}

/** A job in the form of the service API. */
export function describeJob(job: HubJob, devices: readonly DeviceJob[]): JsonObject {
  const { task, ...rest } = job;
  const count = (status: DeviceJobStatus) => devices.filter((device) => device.status === status).length;
  return {
    ...rest,
    ...task,
    deviceJobStatistics: {
      deviceCount: devices.length,
      failedCount: count('failed') + count('canceled'),
      succeededCount: count('completed'),
      runningCount: count('running'),
      pendingCount: count('pending'),
    },
  };
}
