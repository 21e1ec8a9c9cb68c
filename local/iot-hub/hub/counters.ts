/**
 * Counters of a hub since its start. Calls of the service API, operations of devices, and other writers are counted
 * separately.
 */
export interface HubCounters {
  /** Service: accepted GETs of a twin. */
  twinReads: number;
  /** Service: accepted PATCHes and PUTs of a twin. */
  twinWrites: number;
  /** Service: PATCHes and PUTs that were refused, but not by throttling: 400, 404, 412 and others. */
  twinWritesRefused: number;
  /** Service: pages of queries. */
  queries: number;
  /** Service: identities created, read, updated, deleted or listed. A bulk call counts once for each device. */
  identityOps: number;
  /** Service: manifests applied to Edge devices. */
  applies: number;
  /** Service: reads of the device statistics. */
  statisticsReads: number;
  /** Service: calls refused with 429. */
  throttled: number;
  /** Service: calls refused because the daily quota is used up (403002). */
  quotaRefused: number;
  deviceConnections: number;
  deviceTwinReads: number;
  /** Accepted patches of reported properties. */
  deviceTwinWrites: number;
  deviceTwinWritesRefused: number;
  deviceTelemetry: number;
  /** Modules that devices created, read, updated, deleted or listed with their own credentials. */
  deviceIdentityOps: number;
  deviceThrottled: number;
  deviceQuotaRefused: number;
  /** Identities written by DPS. */
  provisioningWrites: number;
  /** Twins written through the control API (the "portal"). */
  controlWrites: number;
}

export function createCounters(): HubCounters {
  return {
    twinReads: 0,
    twinWrites: 0,
    twinWritesRefused: 0,
    queries: 0,
    identityOps: 0,
    applies: 0,
    statisticsReads: 0,
    throttled: 0,
    quotaRefused: 0,
    deviceConnections: 0,
    deviceTwinReads: 0,
    deviceTwinWrites: 0,
    deviceTwinWritesRefused: 0,
    deviceTelemetry: 0,
    deviceIdentityOps: 0,
    deviceThrottled: 0,
    deviceQuotaRefused: 0,
    provisioningWrites: 0,
    controlWrites: 0,
  };
}
