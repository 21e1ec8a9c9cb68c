import type { FaultSettings } from '../../../local/iot-hub/index.ts';

/** Faults of which none strikes. */
export const NO_FAULTS: FaultSettings = {
  seed: 1,
  latencyMs: 0,
  errorRate: 0,
  throttleRate: 0,
  timeoutRate: 0,
  duplicateRate: 0,
  replayRate: 0,
  coalesceRate: 0,
  dropRate: 0,
  notificationDropRate: 0,
  failover: false,
};
