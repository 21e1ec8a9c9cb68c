import type { HostName } from '../iot-hub/host-name.ts';
import type { Tier } from '../iot-hub/throttles.ts';
import type { Acknowledgement, Comparison } from './comparison.ts';
import type { Expression } from './expressions/expression.ts';
import type { Template } from './expressions/template.ts';
import type { HubState } from './hub-state.ts';
import type { FleetFile } from './schema.ts';

/** A valid fleet file, compiled: what allocation and twin sync work with. Built once per revision. */
export interface Fleet {
  /** SHA-256 of the file's content (spaces and the order of keys do not count) and of `models`, in hexadecimal. */
  readonly revision: string;
  /** The file with defaults filled in. */
  readonly file: FleetFile;
  readonly models: Models;
  readonly hubs: readonly Hub[];
  readonly hubByHost: ReadonlyMap<HostName, Hub>;
  readonly allocation: AllocationOptions;
  readonly twins: Twins;
}

/**
 * What Berth knows of device models (`models.ts`): the names of the components of each, sorted, by the model's id. A
 * model without components is not in here.
 */
export type Models = Readonly<Record<string, readonly string[]>>;

/** The hubs that a deployment reconciles: those of its stamp, all where it has none. */
export function hostsOf({ hubs }: Fleet, stamp: string | undefined): readonly HostName[] {
  return hubs.filter((hub) => stamp === undefined || hub.stamp === stamp).map(({ host }) => host);
}

export interface Hub {
  readonly host: HostName;
  /** The host name that service calls go to, in lower case: the classic or the service name. */
  readonly serviceHost: string;
  readonly region: string;
  readonly weight: number;
  readonly tier: Tier;
  readonly units: number;
  readonly capacity: number;
  readonly state: HubState;
  readonly labels: Readonly<Record<string, string>>;
  readonly stamp: string | undefined;
  readonly budget: { readonly rate: number; readonly daily: number };
  /** What expressions see of it. */
  readonly facts: unknown;
  /** Name of the app setting with a service connection string; undefined: managed identity. */
  readonly connection: string | undefined;
}

export interface AllocationOptions {
  readonly salt: string;
  /** Added latency that halves a hub's weight; 0: the fastest hub only; undefined: weights alone. */
  readonly halfLifeMs: number | undefined;
  /** A hub is passed over above (1 + this) of its fair share. */
  readonly loadEpsilon: number | undefined;
  /** A device leaves its hub for one that is faster by so much; undefined: it stays. */
  readonly fasterByMs: number | undefined;
  /** The cause under which devices go to faster hubs: a name that changes with what makes hubs faster. */
  readonly fasterCause: string | undefined;
  readonly readsLatency: boolean;
  readonly movesOverMs: number;
  readonly rules: readonly Rule[];
  readonly payload: Template | undefined;
  /** The paths of the request that rules, layers and the returned payload read, for receipts. */
  readonly reads: readonly (readonly string[])[];
  /** Those of them whose value goes into a redacted place of the initial twin. */
  readonly redactedReads: readonly (readonly string[])[];
}

export type WhenUnknown = 'apply' | 'skip' | 'refuse';

/** A rule; without a condition it always matches. */
export interface Rule {
  readonly name: string;
  readonly when: Expression | undefined;
  readonly whenUnknown: WhenUnknown;
  readonly effect: RuleEffect;
}

export type RuleEffect =
  | { readonly kind: 'require'; readonly labels: Readonly<Record<string, string>> }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'deny'; readonly reason: string }
  | { readonly kind: 'prefer'; readonly factors: ReadonlyMap<HostName, number> };

export interface Twins {
  readonly scope: Expression | undefined;
  readonly redact: readonly (readonly string[])[];
  readonly layers: readonly Layer[];
  /** Whether a device that registers again and keeps its hub is sent its initial twin. */
  readonly resendsInitial: boolean;
  readonly policies: readonly Policy[];
  /** The names of the components of device models, by the model's id. */
  readonly components: ReadonlyMap<string, ReadonlySet<string>>;
  /** Every path that some policy may own: what snapshots keep a history of. */
  readonly trackedPaths: readonly (readonly string[])[];
  /** How fast a new or changed policy reaches the fleet; undefined: at once. */
  readonly rollout: Rollout | undefined;
  readonly fight: { readonly writes: number; readonly withinMs: number; readonly pauseMs: number };
}

export interface Rollout {
  readonly overMs: number;
  /** A policy pauses itself when more than this part of the devices that it has reached reject it. */
  readonly pauseWhen: number;
}

export interface Layer {
  readonly name: string;
  readonly when: Expression | undefined;
  readonly tags: Template;
  readonly desired: Template;
}

export type PolicyMode = 'enforce' | 'adopt' | 'seed' | 'observe';

export interface Policy {
  readonly name: string;
  /**
   * SHA-256 of what the policy does (its name included): another content is another policy to a device that
   * rejected it.
   */
  readonly hash: string;
  /** What names it in the states of twins: enough of its hash to tell the policies of a fleet apart. */
  readonly id: string;
  /** Module that it targets; undefined: device twins. */
  readonly module: string | undefined;
  readonly when: Expression | undefined;
  readonly mode: PolicyMode;
  readonly leaves: readonly PolicyLeaf[];
  readonly tolerance: number;
  readonly cooldownMs: number;
  readonly attempts: number;
  readonly deadlineMs: number;
  readonly confirm: boolean;
  /** How the devices that it matches say what they did about a value. */
  readonly acknowledgement: Acknowledgement;
  /**
   * The dotted paths of properties that it wants and that have the name of a field of an acknowledgement, such as
   * `hvac.ac`. They and the leaves below them are values.
   */
  readonly answerNames: readonly string[];
  /** Takes its own value away from a twin that it does not match any more. */
  readonly removesOnLeave: boolean;
}

/**
 * One desired property that a policy owns: `value` is a scalar, an array, `null` (must be absent) or an
 * expression.
 */
export interface PolicyLeaf {
  readonly path: readonly string[];
  /** The path with dots. */
  readonly key: string;
  readonly value: Template;
  /** How what is reported and desired is compared with the value. */
  readonly compare: Comparison;
}
