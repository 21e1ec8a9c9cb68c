import type { Fleet, Hub, Twins } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { Known } from '../twin/events/fold.ts';
import { redactKept } from '../twin/events/redact.ts';
import { type Plan, plan } from '../twin/plan/plan.ts';
import type { Shadow, TwinState } from '../twin/snapshot/shadow.ts';
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
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Why a twin is not planned, in the order in which it is looked for. */
export const APART = [
  /** It is gone. */
  'deleted',
  /** Its hub is not in the fleet file, or another deployment's. */
  'elsewhere',
  /** Its hub will not have it written now: the day's quota is spent, or the device is disabled. */
  'parked',
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
      readonly shadow: Shadow;
      readonly plan: Plan;
      readonly before: TwinState;
      /** A write to it costs a read too. */
      readonly readsFirst: boolean;
    };

/** What would be done about one twin, once all ramps are complete and all pauses are over. */
export function tryTwin(id: TwinId, known: Known, trial: TwinTrial): TriedTwin {
  if (known.kind !== 'shadow') return { kind: 'apart', why: 'deleted' };
  const hub = trial.hosts.has(id.host) ? trial.fleet.hubByHost.get(id.host) : undefined;
  if (hub === undefined) return { kind: 'apart', why: 'elsewhere' };
  const why = apartOf(known.shadow);
  if (why !== undefined) return { kind: 'apart', why };
  const shadow = withoutSecrets(known.shadow, trial.fleet.twins);
  return {
    kind: 'planned',
    shadow,
    plan: planFor(shadow, hub, trial.fleet, trial.now),
    before: stateBefore(known.shadow, trial),
    readsFirst: shadow.etag === undefined || trial.untrusted.has(id.host),
  };
}

/** As the reconciler does: what their due rows bring back is not judged before. */
function apartOf({ parked, unread, writing }: Shadow): Apart | undefined {
  if (parked !== undefined) return 'parked';
  if (unread !== undefined) return 'unread';
  return writing === undefined ? undefined : 'writing';
}

function stateBefore(shadow: Shadow, { against, now }: TwinTrial): TwinState {
  const hub = against?.hubByHost.get(shadow.id.host);
  return against === undefined || hub === undefined
    ? shadow.judgement.state
    : planFor(shadow, hub, against, now).state;
}

function planFor(shadow: Shadow, hub: Hub, { twins }: Fleet, now: number): Plan {
  return plan({ shadow, hub, twins, holdOf: () => undefined, now });
}

/**
 * What the fleet file redacts is not in here, also where it is redacted for the first time. The key is no secret:
 * these hashes are never shown, they only keep equal values equal.
 */
function withoutSecrets(shadow: Shadow, { redact }: Twins): Shadow {
  return redactKept(shadow, { paths: redact, key: KEY });
}

const KEY = Buffer.from('what-if');
