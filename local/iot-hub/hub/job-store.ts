import * as z from 'zod';
import { isObject } from '../../../src/json/json.ts';
import { openJournal } from '../../journal.ts';
import { addressKey } from '../model/address.ts';
import type { DeviceJob, HubJob } from '../model/job.ts';

/** The jobs of one hub, with their state on each device. Changes are stored on disk. */
export interface JobStore {
  get(jobId: string): HubJob | undefined;
  /** The newest first. */
  values(): readonly HubJob[];
  put(job: HubJob): void;
  putDevice(device: DeviceJob): void;
  /** The devices of a job, in the order in which it reaches them. */
  devicesOf(jobId: string): readonly DeviceJob[];
  /** All devices of all jobs in the order of their keys, starting after `after`. */
  sortedDevices(after: string): Iterable<readonly [key: string, device: DeviceJob]>;
  /** Removes a job and its device jobs. */
  remove(jobId: string): void;
  close(): void;
}

type StoredJob = { readonly job: HubJob } | { readonly device: DeviceJob } | { readonly remove: string };

/** The journal is compacted when it has this many lines more than four times the number of records. */
const COMPACT_SLACK = 5000;

const object = z.custom<object>(isObject);
const id = z.string().min(1);
const JOB = z.looseObject({
  job: z.looseObject({
    jobId: id,
    task: z.union([
      z.looseObject({ type: z.literal('scheduleDeviceMethod'), cloudToDeviceMethod: object }),
      z.looseObject({ type: z.literal('scheduleUpdateTwin'), updateTwin: object }),
    ]),
    queryCondition: z.string(),
    createdTime: z.string(),
    startTime: z.string(),
    endTime: z.string().optional(),
    maxExecutionTimeInSeconds: z.number(),
    status: z.enum(['queued', 'scheduled', 'running', 'completed', 'failed', 'cancelled']),
  }),
});
const DEVICE = z.looseObject({
  device: z.looseObject({
    deviceId: id,
    moduleId: id.optional(),
    jobId: id,
    jobType: z.enum(['scheduleDeviceMethod', 'scheduleUpdateTwin']),
    status: z.enum(['pending', 'running', 'completed', 'failed', 'canceled']),
    createdDateTimeUtc: z.string(),
    lastUpdatedDateTimeUtc: z.string(),
  }),
});
const REMOVE = z.looseObject({ remove: id });

/**
 * Opens the store in `file`; undefined: in memory only.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openJobs(file: string | undefined): JobStore {
  const jobs = new Map<string, HubJob>();
  const devices = new Map<string, Map<string, DeviceJob>>();
  let lines = 0;
  const keep = (line: StoredJob): void => {
    if ('job' in line) {
      jobs.set(line.job.jobId, line.job);
    } else if ('device' in line) {
      const { jobId } = line.device;
      const ofJob = devices.get(jobId) ?? new Map<string, DeviceJob>();
      devices.set(jobId, ofJob.set(addressKey(line.device), line.device));
    } else {
      jobs.delete(line.remove);
      devices.delete(line.remove);
    }
  };
  const journal = openJournal<StoredJob>(file, (record) => {
    lines += 1;
    keep(readLine(record));
  });
  const write = (line: StoredJob): void => {
    journal.append(line);
    lines += 1;
    keep(line);
    const count = [...devices.values()].reduce((sum, ofJob) => sum + ofJob.size, jobs.size);
    if (lines <= 4 * count + COMPACT_SLACK) return;
    lines = count;
    const all = [...devices.values()].flatMap((ofJob) => [...ofJob.values()]);
    journal.compact([...[...jobs.values()].map((job) => ({ job })), ...all.map((device) => ({ device }))]);
  };
  return {
    get: (jobId) => jobs.get(jobId),
    values: () => [...jobs.values()].sort((left, right) => (left.createdTime < right.createdTime ? 1 : -1)),
    put: (job) => write({ job }),
    putDevice: (device) => write({ device }),
    devicesOf: (jobId) => [...(devices.get(jobId)?.values() ?? [])],
    *sortedDevices(after) {
      const all = [...devices.values()].flatMap((ofJob) =>
        [...ofJob.values()].map((device) => [deviceJobKey(device), device] as const),
      );
      const later = all.filter(([key]) => key > after);
      yield* later.sort(([left], [right]) => (left < right ? -1 : 1));
    },
    remove: (jobId) => write({ remove: jobId }),
    close: () => journal.close(),
  };
}

/** Ids contain no space. @example 'dev-1/camera job-7' */
function deviceJobKey(device: DeviceJob): string {
  return `${addressKey(device)} ${device.jobId}`;
}

/** @throws ZodError if Berth cannot have written the line. */
function readLine(record: unknown): StoredJob {
  const kind = isObject(record) && 'remove' in record ? REMOVE : undefined;
  (kind ?? (isObject(record) && 'device' in record ? DEVICE : JOB)).parse(record);
  return record as StoredJob;
}
