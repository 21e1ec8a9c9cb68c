import { randomUUID } from 'node:crypto';
import { type JsonObject, ownMember } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { formatDateTimeUtc } from '../model/instant.ts';
import { describeTransfer, type TransferJob } from '../model/transfer-job.ts';
import { type BlobContainer, openContainer } from './blob.ts';
import {
  exportedConfigurations,
  exportedDevice,
  importConfigurations,
  importDevices,
  linesOf,
  recordsIn,
} from './registry-lines.ts';

/* The names of the blobs where a job does not give one (iot-hub-bulk-identity-mgmt.md). */
const DEVICES = 'devices.txt';
const CONFIGURATIONS = 'configurations.txt';
const ERRORS = 'importErrors.log';

/* Each of these throws a `HubRefusal` when the hub refuses. */

/** Creates a job and starts it. A hub runs one at a time. */
export function createTransfer(hub: LocalHub, body: JsonObject): JsonObject {
  const type = ownMember(body, 'type');
  if (type !== 'import' && type !== 'export') {
    throw new HubRefusal('ArgumentInvalid', 'type must be import or export.');
  }
  const text = (name: string) => {
    const value = ownMember(body, name) ?? '';
    if (typeof value === 'string') return value;
    throw new HubRefusal('ArgumentInvalid', `${name} must be a string.`);
  };
  const output = openContainer(text('outputBlobContainerUri'));
  const input = type === 'import' ? openContainer(text('inputBlobContainerUri')) : undefined;
  if ([...hub.transfers.values()].some(({ status }) => status === 'running')) {
    throw new HubRefusal('JobQuotaExceeded', 'A job that imports or exports devices is running.');
  }
  const job: TransferJob = {
    jobId: randomUUID(),
    type,
    status: 'running',
    startTimeUtc: formatDateTimeUtc(hub.tick()),
    excludeKeysInExport: ownMember(body, 'excludeKeysInExport') === true,
    includeConfigurations: ownMember(body, 'includeConfigurations') === true,
  };
  hub.transfers.set(job.jobId, job);
  const names = {
    input: text('inputBlobName') || DEVICES,
    output: text('outputBlobName') || DEVICES,
    configurations: text('configurationsBlobName') || CONFIGURATIONS,
  };
  void finish(hub, job, () =>
    input === undefined ? exportAll(hub, job, output, names) : importAll(hub, job, { input, output }, names),
  );
  return describeTransfer({ ...job, status: 'enqueued' });
}

export function readTransfer(hub: LocalHub, jobId: string): JsonObject {
  return describeTransfer(existing(hub, jobId));
}

/** The newest first. */
export function listTransfers(hub: LocalHub): readonly JsonObject[] {
  return [...hub.transfers.values()].reverse().map(describeTransfer);
}

/** Cancels a job. One that has ended does not change. */
export function cancelTransfer(hub: LocalHub, jobId: string): void {
  const job = existing(hub, jobId);
  if (job.status === 'running') end(hub, job, { status: 'cancelled' });
}

interface BlobNames {
  readonly input: string;
  readonly output: string;
  readonly configurations: string;
}

async function exportAll(
  hub: LocalHub,
  { excludeKeysInExport, includeConfigurations }: TransferJob,
  output: BlobContainer,
  names: BlobNames,
): Promise<void> {
  const devices = [...hub.store.sorted()].map((entry) => exportedDevice(hub, entry, excludeKeysInExport));
  await output.write(names.output, linesOf(devices));
  if (includeConfigurations) await output.write(names.configurations, linesOf(exportedConfigurations(hub)));
}

async function importAll(
  hub: LocalHub,
  job: TransferJob,
  { input, output }: { readonly input: BlobContainer; readonly output: BlobContainer },
  names: BlobNames,
): Promise<void> {
  const devices = recordsIn(await input.read(names.input));
  const configurations = job.includeConfigurations ? recordsIn(await input.read(names.configurations)) : [];
  if (hub.transfers.get(job.jobId)?.status !== 'running') return;
  const problems = [...importDevices(hub, devices), ...importConfigurations(hub, configurations)];
  if (problems.length > 0) await output.write(ERRORS, linesOf(problems));
}

async function finish(hub: LocalHub, job: TransferJob, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    end(hub, job, { status: 'completed' });
  } catch (error) {
    const failureReason = error instanceof HubRefusal ? error.message : 'The hub failed.';
    end(hub, job, { status: 'failed', failureReason });
  }
}

/** Ends a job that is not cancelled. */
function end(
  hub: LocalHub,
  { jobId }: TransferJob,
  result: Pick<TransferJob, 'status' | 'failureReason'>,
): void {
  const job = hub.transfers.get(jobId);
  if (job?.status !== 'running') return;
  hub.transfers.set(jobId, { ...job, ...result, endTimeUtc: formatDateTimeUtc(hub.tick()) });
}

function existing(hub: LocalHub, jobId: string): TransferJob {
  const job = hub.transfers.get(jobId);
  if (job !== undefined) return job;
  throw new HubRefusal('JobNotFound', `Job ${jobId.slice(0, 140)} was not found.`);
}
