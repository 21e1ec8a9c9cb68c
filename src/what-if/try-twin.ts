import type { Fleet, Hub, Twins } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Known } from '../twin/events/apply-event.ts';
import { redactKept } from '../twin/events/redact.ts';
import { type Plan, plan } from '../twin/plan/plan.ts';
import type { Snapshot, TwinStatus } from '../twin/snapshot/snapshot.ts';
import type { TwinId } from '../twin/snapshot/twin.ts';

/** A fleet file that is tried on what is known of twins. */
export interface TwinTrial {
  readonly fleet: Fleet;
  /** The one that it is compared with; undefined: with what the twins were judged to be when last looked at. */
  readonly against: Fleet | undefined;
  /** The hubs that the deployment reconciles under it. */
  readonly hosts: ReadonlySet<HostName>;
  /** Hubs whose twins are read before every write. */
  readonly untrusted: ReadonlySet<string>;
  readonly now: EpochMs;
}

/** Why a twin is not planned, in the order in which it is looked for. */
export const APART = [
  /** It is gone. */
  'deleted',
  /** Its hub is not in the fleet file, or another deployment's. */
  'elsewhere',
  /** Its hub will not have it written now: the day's quota is spent, or the device is disabled. */
  'suspended',
  /** It must be read before anything can be said. */
  'unread',
  /** It is being written to at this moment. */
  'writing',
] as const;
export type Apart = (typeof APART)[number];

export type TriedTwin =
  | { readonly kind: 'apart'; readonly why: Apart }
  | {
      readonly kind: 'planned';
      /** Without the values that are redacted. */
      readonly snapshot: Snapshot;
      readonly plan: Plan;
      readonly before: TwinStatus;
      /** A write to it costs a read too. */
      readonly readsFirst: boolean;
    };

/** What would be done about one twin, once all rollouts are complete and all pauses are over. */
export function tryTwin(id: TwinId, known: Known, trial: TwinTrial): TriedTwin {
  if (known.kind !== 'snapshot') return { kind: 'apart', why: 'deleted' };
  const hub = trial.hosts.has(id.host) ? trial.fleet.hubByHost.get(id.host) : undefined;
  if (hub === undefined) return { kind: 'apart', why: 'elsewhere' };
  const why = apartOf(known.snapshot);
  if (why !== undefined) return { kind: 'apart', why };
  const snapshot = withoutSecrets(known.snapshot, trial.fleet.twins);
  return {
    kind: 'planned',
    snapshot,
    plan: planFor(snapshot, hub, trial.fleet, trial.now),
    before: stateBefore(known.snapshot, trial),
    readsFirst: snapshot.etag === undefined || trial.untrusted.has(id.host),
  };
}

/** As the reconciler does: what their work items bring back is not judged before. */
function apartOf({ suspended, unread, writing }: Snapshot): Apart | undefined {
  if (suspended !== undefined) return 'suspended';
  if (unread !== undefined) return 'unread';
  return writing === undefined ? undefined : 'writing';
}

function stateBefore(snapshot: Snapshot, { against, now }: TwinTrial): TwinStatus {
  const hub = against?.hubByHost.get(snapshot.id.host);
  return against === undefined || hub === undefined
    ? snapshot.lastReconcile.status
    : planFor(snapshot, hub, against, now).status;
}

function planFor(snapshot: Snapshot, hub: Hub, { twins }: Fleet, now: EpochMs): Plan {
  return plan({ snapshot, hub, twins, holdOf: () => undefined, now });
}

/**
 * What the fleet file redacts is not in here, also where it is redacted for the first time. The key is no secret:
 * these hashes are never shown, they only keep equal values equal.
 */
function withoutSecrets(snapshot: Snapshot, { redact }: Twins): Snapshot {
  return redactKept(snapshot, { paths: redact, key: KEY });
}

const KEY = Buffer.from('what-if');
