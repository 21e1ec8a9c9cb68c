import { withApplied, withRefusal } from '../../../edge/edge-record.ts';
import type { ManifestFingerprint } from '../../../edge/fingerprint.ts';
import { mayArrive, mayComeFrom } from '../../../edge/interrupted-apply.ts';
import type { BerthError, ErrorCode } from '../../../errors.ts';
import { HubError } from '../../../hub/port.ts';
import { type EpochMs, plus } from '../../../time/epoch-ms.ts';
import {
  type AppliedManifest,
  type EdgeRecord,
  NO_EDGE_RECORD,
} from '../../../twin/snapshot/runtime-twin.ts';
import type { Snapshot, WorkItem } from '../../../twin/snapshot/snapshot.ts';
import { twinKey } from '../../../twin/snapshot/twin.ts';
import { backOff } from '../back-off.ts';
import type { EdgeTwinStatus } from './edge-statuses.ts';
import { drifted, isRefusal } from './edge-work-state.ts';

/** A missing right: a person must act first. */
const UNAUTHORIZED_MS = 5 * 60_000;

/** The data action that applies a manifest (Microsoft, Azure permissions for Internet of Things). */
const APPLY_ACTION = 'Microsoft.Devices/IotHubs/configurations/applyToEdgeDevice/action';

/** What follows from an apply that failed. */
export interface AfterFailedApply {
  /** The record of `$edgeAgent` with a work item, or with the refusal of the hub. */
  readonly snapshot: Snapshot;
  readonly status: EdgeTwinStatus;
  /** The hub's own code, or its HTTP status, or Berth's code. */
  readonly hubCode: string;
  /** What is logged. Undefined: nothing, because throttling is normal. */
  readonly logged: { readonly code: ErrorCode; readonly message: string } | undefined;
}

/**
 * Pure.
 *
 * @param before the intent of an earlier apply without a result
 * @param hubNow by the clock of the hubs
 */
export function afterFailedApply(
  snapshot: Snapshot,
  {
    fingerprint,
    before,
  }: { readonly fingerprint: ManifestFingerprint; readonly before: AppliedManifest | undefined },
  error: BerthError,
  hubNow: EpochMs,
): AfterFailedApply {
  const hubCode = error instanceof HubError ? (error.hubCode ?? String(error.status)) : error.code;
  const tries = snapshot.workItem?.tries ?? 0;
  const wait = (ms: number, why: string): WorkItem => ({
    priority: 'drift',
    at: plus(hubNow, ms),
    why,
    tries: tries + 1,
  });
  const edge = withEarlier(snapshot, before, hubNow);
  if (isRefusal(error)) {
    const why = error.message.replace(/\.$/, '');
    return {
      snapshot: { ...snapshot, edge: withRefusal(edge, fingerprint, why), workItem: undefined },
      status: {
        status: 'rejected',
        why: `BERTH_EDGE_MANIFEST_REFUSED: ${why}`,
        isHeld: false,
        nextAt: undefined,
      },
      hubCode,
      logged: { code: 'BERTH_EDGE_MANIFEST_REFUSED', message: error.message },
    };
  }
  if (error.code === 'BERTH_HUB_UNAUTHORIZED') {
    const why = `BERTH_EDGE_UNAUTHORIZED: the hub refuses an apply (${hubCode}): give the app the role "Berth Edge Deployer", with the data action ${APPLY_ACTION}`;
    return {
      snapshot: { ...snapshot, edge, workItem: wait(UNAUTHORIZED_MS, why) },
      status: drifted(why),
      hubCode,
      logged: { code: 'BERTH_EDGE_UNAUTHORIZED', message: why },
    };
  }
  const { code, message } = error;
  const logged = code === 'BERTH_HUB_THROTTLED' ? undefined : { code, message };
  const backOffMs = backOff(error, twinKey(snapshot.id), tries);
  if (error instanceof HubError && error.mayHaveApplied) {
    // The intent stays until the hub was read.
    const unread = { since: snapshot.asOf, why: 'an apply failed, and the hub may have taken it' };
    return {
      snapshot: { ...snapshot, unread, workItem: wait(backOffMs, unread.why) },
      status: drifted(message),
      hubCode,
      logged,
    };
  }
  return {
    snapshot: { ...snapshot, edge, workItem: wait(backOffMs, message) },
    status: drifted(message),
    hubCode,
    logged,
  };
}

/**
 * The record after the hub has certainly not taken an apply. An earlier one without a result may still arrive. If its time is over, and the
 * present manifest may come from it, it counts as applied: Berth would else take its own manifest for that of another writer.
 */
function withEarlier(
  { desired, edge = NO_EDGE_RECORD, runtime }: Snapshot,
  before: AppliedManifest | undefined,
  now: EpochMs,
): EdgeRecord {
  const record = { ...edge, intent: undefined };
  if (before === undefined) return record;
  if (mayArrive(before, now)) return { ...record, intent: before };
  const isThere = Object.keys(desired).length > 0 && mayComeFrom(before, { runtime });
  return isThere ? withApplied(record, before, undefined, now) : record;
}
