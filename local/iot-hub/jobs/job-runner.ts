import { setTimeout as wait } from 'node:timers/promises';
import { ownMember } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { addressOf } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { formatDateTimeUtc } from '../model/instant.ts';
import { type DeviceJob, type HubJob, hasEnded, type JobTask } from '../model/job.ts';
import { twinDocument } from '../operations/device-document.ts';
import { invokeMethod } from '../operations/direct-method.ts';
import { patchTwinOf } from '../operations/twin-operations.ts';
import { isMet } from '../query/evaluate.ts';
import { parseCondition } from '../query/parse-query.ts';
import { type DeviceJobEnd, endDeviceJob } from './end-device-job.ts';

/** How often the runner looks at the clock of the hub, in milliseconds. */
const LOOK_EVERY_MS = 100;
/** Devices that a job works on at the same time. */
const PARALLEL = 10;
/** Jobs are kept for 30 days ("IoT Hub quotas and throttling"). */
const KEPT_MS = 30 * 86_400_000;
/** How long a job waits before it asks the throttle again, in milliseconds. */
const THROTTLED_MS = 1000;

/**
 * Runs the jobs of a hub when their start times come. A job that was running when the process ended continues. The
 * runner ends when the hub closes.
 */
export function keepRunningJobs(hub: LocalHub): void {
  const running = new Set<string>();
  const timer = setInterval(() => {
    for (const job of hub.jobs.values()) {
      if (hasEnded(job.status)) {
        if (hub.now() - Date.parse(job.createdTime) > KEPT_MS) hub.jobs.remove(job.jobId);
      } else if (!running.has(job.jobId)) {
        if (Date.parse(job.startTime) > hub.now()) markScheduled(hub, job);
        else void start(job);
      }
    }
  }, LOOK_EVERY_MS);
  timer.unref();
  hub.closing.addEventListener('abort', () => clearInterval(timer), { once: true });

  const start = async (job: HubJob): Promise<void> => {
    running.add(job.jobId);
    try {
      await run(hub, job);
    } catch (error) {
      if (hub.closing.aborted) return;
      hub.log.error(
        `Hub ${hub.host} could not run the job ${job.jobId}: ${error instanceof Error ? error.message : 'unknown reason'}`,
      );
      end(hub, job.jobId, { status: 'failed', failureReason: 'The hub failed.' });
    } finally {
      running.delete(job.jobId);
    }
  };
}

function markScheduled(hub: LocalHub, job: HubJob): void {
  if (job.status === 'queued') hub.jobs.put({ ...job, status: 'scheduled' });
}

async function run(hub: LocalHub, job: HubJob): Promise<void> {
  const { jobId } = job;
  if (job.status !== 'running') {
    try {
      for (const address of devicesOf(hub, job.queryCondition)) addDevice(hub, job, address);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      end(hub, jobId, { status: 'failed', failureReason: error.message });
      return;
    }
    hub.jobs.put({ ...job, status: 'running' });
  }
  const deadline = Date.parse(job.startTime) + job.maxExecutionTimeInSeconds * 1000;
  const waiting = hub.jobs.devicesOf(jobId).filter(({ status }) => !hasEnded(status));
  const worker = async (): Promise<void> => {
    for (let device = waiting.shift(); device !== undefined; device = waiting.shift()) {
      if (hub.closing.aborted || hub.jobs.get(jobId)?.status !== 'running') return;
      if (hub.now() >= deadline) fail(hub, device, 'TimedOut', 'The job did not reach the device in time.');
      else await runOn(hub, job.task, device);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  if (!hub.closing.aborted) end(hub, jobId, { status: 'completed' });
}

/** The devices or modules of a condition, in the order of their ids. */
function devicesOf(hub: LocalHub, queryCondition: string): readonly Address[] {
  const { from, where } = parseCondition(queryCondition);
  const entries = from === 'devices' ? hub.store.sorted() : hub.store.sortedModules();
  return [...entries]
    .filter((entry) => isMet(where, twinDocument(entry, hub.connections.presence(entry.identity))))
    .map(({ identity: { deviceId, moduleId } }) => addressOf(deviceId, moduleId));
}

function addDevice(hub: LocalHub, { jobId, task }: HubJob, address: Address): void {
  const at = formatDateTimeUtc(hub.tick());
  hub.jobs.putDevice({
    ...address,
    jobId,
    jobType: task.type,
    status: 'pending',
    createdDateTimeUtc: at,
    lastUpdatedDateTimeUtc: at,
  });
}

async function runOn(hub: LocalHub, task: JobTask, pending: DeviceJob): Promise<void> {
  await admitted(hub);
  const at = formatDateTimeUtc(hub.tick());
  const device: DeviceJob = { ...pending, status: 'running', startTimeUtc: at, lastUpdatedDateTimeUtc: at };
  hub.jobs.putDevice(device);
  try {
    finish(hub, device, { status: 'completed', outcome: await perform(hub, task, device) });
  } catch (error) {
    if (!(error instanceof HubRefusal)) throw error;
    fail(hub, device, error.refusal, error.message);
  }
}

/** Performs the task on one device. @throws HubRefusal as the same call for this device does */
async function perform(
  hub: LocalHub,
  task: JobTask,
  { deviceId, moduleId }: DeviceJob,
): Promise<NonNullable<DeviceJob['outcome']>> {
  const address = addressOf(deviceId, moduleId);
  if (task.type === 'scheduleDeviceMethod') {
    return { deviceMethodResponse: await invokeMethod(hub, address, task.cloudToDeviceMethod) };
  }
  const etag = ownMember(task.updateTwin, 'etag');
  patchTwinOf(hub, address, task.updateTwin, typeof etag === 'string' ? `"${etag}"` : undefined);
  hub.spend(JSON.stringify(task.updateTwin).length);
  return { deviceMethodResponse: null };
}

/** Waits for the throttle of the operations of jobs on devices, however long that takes. */
async function admitted(hub: LocalHub): Promise<void> {
  for (;;) {
    try {
      await hub.admit('jobDeviceOperations');
      return;
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      await wait(THROTTLED_MS, undefined, { signal: hub.closing, ref: false });
    }
  }
}

function fail(hub: LocalHub, device: DeviceJob, code: string, description: string): void {
  finish(hub, device, { status: 'failed', error: { code, description } });
}

function finish(hub: LocalHub, device: DeviceJob, end: DeviceJobEnd): void {
  if (!hub.closing.aborted) endDeviceJob(hub, device, end); // else the store is closed
}

/** Ends a job that is not cancelled. */
function end(hub: LocalHub, jobId: string, result: Pick<HubJob, 'status' | 'failureReason'>): void {
  const job = hub.jobs.get(jobId);
  if (job === undefined || hasEnded(job.status)) return;
  hub.jobs.put({ ...job, ...result, endTime: formatDateTimeUtc(hub.tick()) });
}
