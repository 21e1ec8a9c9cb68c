import type { JsonObject } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { formatDateTimeUtc } from '../model/instant.ts';
import { describeJob, type HubJob, hasEnded } from '../model/job.ts';
import { type PageRequest, type QueryPage, readPageSize } from '../operations/query-page.ts';
import { endDeviceJob } from './end-device-job.ts';
import { readJobChoice } from './job-body.ts';

/** Jobs that run at the same time ("IoT Hub quotas and throttling"). */
const MAX_RUNNING = { F1: 1, S1: 1, S2: 5, S3: 10 } as const;

/* Each of these throws a `HubRefusal` when the hub refuses. */

/** Creates a job. It runs when its start time has come. */
export function createJob(hub: LocalHub, jobId: string, body: JsonObject): JsonObject {
  const choice = readJobChoice(jobId, body, hub.now());
  if (hub.jobs.get(jobId) !== undefined) {
    throw new HubRefusal('JobAlreadyExists', `A job with ID '${jobId}' already exists.`);
  }
  const isDue = Date.parse(choice.startTime) <= hub.now();
  const active = hub.jobs.values().filter((job) => isActive(hub, job)).length;
  if (isDue && active >= MAX_RUNNING[hub.tier]) {
    throw new HubRefusal(
      'ThrottlingMaxActiveJobCountExceeded',
      `The hub runs ${active} jobs, and ${MAX_RUNNING[hub.tier]} are allowed at the same time.`,
    );
  }
  const job: HubJob = { ...choice, createdTime: formatDateTimeUtc(hub.tick()), status: 'queued' };
  hub.jobs.put(job);
  return describe(hub, job);
}

export function readJob(hub: LocalHub, jobId: string): JsonObject {
  return describe(hub, existing(hub, jobId));
}

/** Cancels a job. Devices that it has not reached get no update and no call. A job that has ended does not change. */
export function cancelJob(hub: LocalHub, jobId: string): JsonObject {
  const job = existing(hub, jobId);
  if (hasEnded(job.status)) return describe(hub, job);
  const at = formatDateTimeUtc(hub.tick());
  const cancelled: HubJob = { ...job, status: 'cancelled', endTime: at };
  hub.jobs.put(cancelled);
  for (const device of hub.jobs.devicesOf(jobId)) {
    if (device.status !== 'pending') continue;
    endDeviceJob(hub, device, { status: 'canceled' });
  }
  return describe(hub, cancelled);
}

/** The jobs that a client asks for, the newest first. `type` and `status` are not case-sensitive; undefined: all. */
export function listJobs(
  hub: LocalHub,
  filter: { readonly type: string | undefined; readonly status: string | undefined },
  page: PageRequest,
): QueryPage {
  const size = readPageSize(page.size);
  const isWanted = (wanted: string | undefined, value: string) =>
    wanted === undefined || wanted === '' || wanted.toLowerCase() === value.toLowerCase();
  const jobs = hub.jobs
    .values()
    .filter(({ task, status }) => isWanted(filter.type, task.type) && isWanted(filter.status, status));
  const start = page.continuation === undefined ? 0 : readToken(page.continuation);
  const end = start + size;
  return {
    rows: jobs.slice(start, end).map((job) => describe(hub, job)),
    continuation: end < jobs.length ? Buffer.from(`jobs:${end}`).toString('base64') : undefined,
  };
}

/** Whether a job runs, or could run now. */
function isActive(hub: LocalHub, { status, startTime }: HubJob): boolean {
  return !hasEnded(status) && Date.parse(startTime) <= hub.now();
}

function readToken(token: string): number {
  const start = /^jobs:(\d{1,9})$/.exec(Buffer.from(token, 'base64').toString())?.[1];
  if (start !== undefined) return Number(start);
  throw new HubRefusal('ArgumentInvalid', 'x-ms-continuation is not a token of this hub');
}

function existing(hub: LocalHub, jobId: string): HubJob {
  const job = hub.jobs.get(jobId);
  if (job !== undefined) return job;
  throw new HubRefusal('JobNotFound', `Job ${jobId.slice(0, 140)} was not found.`);
}

function describe(hub: LocalHub, job: HubJob): JsonObject {
  return describeJob(job, hub.jobs.devicesOf(job.jobId));
}
