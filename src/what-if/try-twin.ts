import type { Control } from '../control/control.ts';
import { drainOf } from '../control/drains.ts';
import type { Fleet, Hub, Policy, Twins } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { REACHED, type RolloutDevice } from '../rollout/content-choice.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Known } from '../twin/events/apply-event.ts';
import { redactKept } from '../twin/events/redact.ts';
import type { DrainOfDevice } from '../twin/plan/move-request.ts';
import { type Plan, plan, type TwinPlanInput } from '../twin/plan/plan.ts';
import type { Snapshot, TwinStatus } from '../twin/snapshot/snapshot.ts';
import type { TwinId } from '../twin/snapshot/twin.ts';
import { type StageForecast, stageForecast } from './stage-forecast.ts';

/** A fleet file to try on stored twins. */
export interface TwinTrial {
  readonly fleet: Fleet;
  /** The fleet file to compare with; undefined: compare with the status of the last reconcile. */
  readonly against: Fleet | undefined;
  /** The hubs that the deployment reconciles with this file. */
  readonly hosts: ReadonlySet<HostName>;
  /** Hubs whose events are not trusted: Berth reads their twins before every write. */
  readonly untrusted: ReadonlySet<string>;
  /** For rollouts that run. Undefined: none has begun. */
  readonly control?: Control;
  readonly now: EpochMs;
}

/** Why a twin is not planned, in the order of the checks. */
export const APART = [
  /** The twin was deleted. */
  'deleted',
  /** Its hub is not in the fleet file or belongs to another stamp. */
  'elsewhere',
  /** The daily quota of its hub is used up, or its device is disabled. */
  'suspended',
  /** Berth must read the twin before it can plan. */
  'unread',
  /** A write to the twin is in progress. */
  'writing',
] as const;
export type Apart = (typeof APART)[number];

export type TriedTwin =
  | { readonly kind: 'apart'; readonly why: Apart }
  | {
      readonly kind: 'planned';
      /** With redacted values replaced. */
      readonly snapshot: Snapshot;
      readonly plan: Plan;
      readonly before: TwinStatus;
      /** A write needs a read first. */
      readonly readsFirst: boolean;
      /** When the rollout of each policy reaches the twin. Without policies that reach every twin at once. */
      readonly forecasts: ReadonlyMap<string, StageForecast>;
    };

/** Plans one twin as if all rollouts were complete and all pauses were over. */
export function tryTwin(id: TwinId, known: Known, trial: TwinTrial): TriedTwin {
  if (known.kind !== 'snapshot') return { kind: 'apart', why: 'deleted' };
  const hub = trial.hosts.has(id.host) ? trial.fleet.hubByHost.get(id.host) : undefined;
  if (hub === undefined) return { kind: 'apart', why: 'elsewhere' };
  const why = apartOf(known.snapshot);
  if (why !== undefined) return { kind: 'apart', why };
  const snapshot = withoutSecrets(known.snapshot, trial.fleet.twins);
  const forecasts = new Map<string, StageForecast>();
  const reached = (policy: Policy, device: RolloutDevice) => {
    const forecast = stageForecast(trial.control, policy, device, trial.now);
    if (forecast !== undefined) forecasts.set(policy.name, forecast);
    return REACHED;
  };
  return {
    kind: 'planned',
    snapshot,
    plan: planFor(snapshot, hub, trial, reached),
    forecasts,
    before: stateBefore(known.snapshot, trial),
    readsFirst: snapshot.etag === undefined || trial.untrusted.has(id.host),
  };
}

/** The same twins that the reconciler does not plan either. */
function apartOf({ suspended, unread, writing }: Snapshot): Apart | undefined {
  if (suspended !== undefined) return 'suspended';
  if (unread !== undefined) return 'unread';
  return writing === undefined ? undefined : 'writing';
}

function stateBefore(snapshot: Snapshot, { against, control, now }: TwinTrial): TwinStatus {
  const hub = against?.hubByHost.get(snapshot.id.host);
  return against === undefined || hub === undefined
    ? snapshot.lastReconcile.status
    : planFor(snapshot, hub, { fleet: against, ...(control && { control }), now }).status;
}

function planFor(
  snapshot: Snapshot,
  hub: Hub,
  { fleet: { twins }, control, now }: Pick<TwinTrial, 'fleet' | 'control' | 'now'>,
  contentOf: NonNullable<TwinPlanInput['contentOf']> = () => REACHED,
): Plan {
  return plan({
    snapshot,
    hub,
    twins,
    holdOf: () => undefined,
    contentOf,
    drain: drainIn(hub, control, now),
    now,
  });
}

/**
 * The drain of a hub by the tried file, as if it had reached every device. If another file or an override drains the hub now,
 * what becomes of its requests is not known.
 */
function drainIn(
  { host, state }: Hub,
  control: Control | undefined,
  now: EpochMs,
): DrainOfDevice | undefined {
  if (state === 'draining') return { kind: 'draining', askAt: now };
  return control !== undefined && drainOf(control, host)?.since !== undefined ? undefined : { kind: 'none' };
}

/**
 * Redacts a snapshot with the paths of the tried fleet file, which may redact more than before. The key is
 * not a secret: the hashes are never shown and only keep equal values equal.
 */
function withoutSecrets(snapshot: Snapshot, { redact }: Twins): Snapshot {
  return redactKept(snapshot, { paths: redact, key: KEY });
}

const KEY = Buffer.from('what-if');
