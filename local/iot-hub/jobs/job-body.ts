import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { formatDateTimeUtc } from '../model/instant.ts';
import type { HubJob, JobTask } from '../model/job.ts';
import { checkMethod } from '../operations/direct-method.ts';
import { readServiceSections } from '../operations/twin-operations.ts';

/** Printable ASCII without separators (iot-hub-devguide-jobs.md). */
const JOB_ID = /^[!#%&'*+\-.0-9A-Z^_`a-z|~]{1,128}$/;
/** The default of the SDKs, and the longest time that they allow (two days). In seconds. */
const USUAL_EXECUTION = 3600;
const MAX_EXECUTION = 172_800;

/** The part of a job that its client writes. */
export type JobChoice = Pick<
  HubJob,
  'jobId' | 'task' | 'queryCondition' | 'startTime' | 'maxExecutionTimeInSeconds'
>;

/**
 * Reads the body of PUT `/jobs/v2/{id}`. The condition is checked when the job starts, as in Azure
 * (azure-iot-sdk-csharp#40).
 *
 * @param now milliseconds since the epoch: the start of a job without `startTime`.
 * @throws HubRefusal `ArgumentInvalid`, `GenericBadRequest`
 */
export function readJobChoice(jobId: string, body: JsonObject, now: number): JobChoice {
  if (!JOB_ID.test(jobId)) throw invalid(`${jobId.slice(0, 140)} is not the id of a job.`);
  if ((ownMember(body, 'jobId') ?? jobId) !== jobId) {
    throw invalid('jobId in the body differs from the one in the path.');
  }
  const queryCondition = ownMember(body, 'queryCondition');
  if (typeof queryCondition !== 'string' || queryCondition.trim() === '') {
    throw invalid('queryCondition is missing.');
  }
  return {
    jobId,
    task: readTask(body),
    queryCondition,
    startTime: readStart(ownMember(body, 'startTime') ?? undefined, now),
    maxExecutionTimeInSeconds: readExecution(ownMember(body, 'maxExecutionTimeInSeconds')),
  };
}

function readTask(body: JsonObject): JobTask {
  const type = ownMember(body, 'type');
  switch (type) {
    case 'scheduleDeviceMethod': {
      const cloudToDeviceMethod = ownMember(body, 'cloudToDeviceMethod');
      if (!isObject(cloudToDeviceMethod)) throw invalid('cloudToDeviceMethod is missing.');
      checkMethod(cloudToDeviceMethod);
      return { type, cloudToDeviceMethod };
    }
    case 'scheduleUpdateTwin': {
      const updateTwin = ownMember(body, 'updateTwin');
      if (!isObject(updateTwin)) throw invalid('updateTwin is missing.');
      readServiceSections(updateTwin, () => ({}));
      return { type, updateTwin };
    }
    default:
      // The name that Azure gives for a wrong type (azure-docs#29484).
      throw new HubRefusal('GenericBadRequest', 'BadRequest');
  }
}

function readStart(startTime: JsonValue | undefined, now: number): string {
  if (startTime === undefined || startTime === '') return inUtc(now);
  const at = typeof startTime === 'string' ? Date.parse(startTime) : Number.NaN;
  if (Number.isNaN(at)) throw invalid('startTime is not a time.');
  return inUtc(at);
}

function readExecution(seconds: JsonValue | undefined): number {
  // The SDK of C# writes 0 for the default.
  if (seconds === undefined || seconds === null || seconds === 0) return USUAL_EXECUTION;
  const isValid =
    typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_EXECUTION;
  if (isValid) return seconds;
  throw invalid(`maxExecutionTimeInSeconds must be a whole number from 1 to ${MAX_EXECUTION}.`);
}

/** @param at milliseconds since the epoch */
function inUtc(at: number): string {
  return formatDateTimeUtc(BigInt(at) * 10_000n);
}

function invalid(problem: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', problem);
}
