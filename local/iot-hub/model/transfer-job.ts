import type { JsonObject } from '../../../src/json/json.ts';

/** A job that imports or exports devices (iot-hub-bulk-identity-mgmt.md). It holds no URI of a container. */
export interface TransferJob {
  readonly jobId: string;
  readonly type: 'import' | 'export';
  readonly status: 'enqueued' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly startTimeUtc: string;
  readonly endTimeUtc?: string;
  readonly failureReason?: string;
  readonly excludeKeysInExport: boolean;
  readonly includeConfigurations: boolean;
}

/** A job in the form of the service API. */
export function describeTransfer(job: TransferJob): JsonObject {
  return { ...job, progress: job.status === 'completed' ? 100 : 0, storageAuthenticationType: 'keyBased' };
}
