import type { HostName } from '../iot-hub/host-name.ts';
import type { Tier } from '../iot-hub/throttles.ts';
import type { Acknowledgement, Comparison } from './comparison.ts';
import type { Edge } from './edge/edge.ts';
import type { Expression } from './expressions/expression.ts';
import type { Template } from './expressions/template.ts';
import type { HubState } from './hub-state.ts';
import type { RegionLatencies } from './region-latencies.ts';
import type { Rollout, RolloutContent } from './rollout.ts';
import type { FleetFile } from './schema.ts';

/**
 * A valid and compiled fleet file, which allocation and twin sync use. It is built once for each revision.
 */
export interface Fleet {
  /**
   * SHA-256 of the content of the file and of `models`, in hexadecimal. White space and the order of keys are
   * ignored.
   */
  readonly revision: string;
  /** The file with defaults filled in. */
  readonly file: FleetFile;
  readonly models: Models;
  readonly hubs: readonly Hub[];
  readonly hubByHost: ReadonlyMap<HostName, Hub>;
  readonly allocation: AllocationOptions;
  readonly twins: Twins;
  /** What runs on IoT Edge devices. Undefined: Berth leaves them alone. */
  readonly edge: Edge | undefined;
}

/** The policies of a fleet file and Berth's own: all that may own a property of a twin. */
export function allPolicies({
  policies,
  moveRequest,
}: Pick<Twins, 'policies' | 'moveRequest'>): readonly Policy[] {
  return moveRequest === undefined ? policies : [...policies, moveRequest.policy];
}

/** All that rollouts bring to devices: the policies, and the deployments of IoT Edge. No two have the same name. */
export function rolloutContents({ twins, edge }: Pick<Fleet, 'twins' | 'edge'>): readonly RolloutContent[] {
  return [...twins.policies, ...(edge?.deployments ?? [])];
}

/**
 * The sorted names of the components of device models, by model id (`models.ts`). Models without components
 * are not included.
 */
export type Models = Readonly<Record<string, readonly string[]>>;

/** The hubs that a deployment reconciles: those of its stamp, or all hubs if it has no stamp. */
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
  /** The hub in the form that expressions read. */
  readonly facts: unknown;
  /** Name of the app setting with a service connection string; undefined for the managed identity. */
  readonly connection: string | undefined;
}

export interface AllocationOptions {
  readonly salt: string;
  /** Extra latency that halves the weight of a hub. 0: only the fastest hub. Undefined: weights alone. */
  readonly halfLifeMs: number | undefined;
  /** A hub above (1 + this) times its fair share is skipped if another hub is below. Undefined: no limit. */
  readonly loadEpsilon: number | undefined;
  /** A device moves to its best hub if that is faster by at least this. Undefined: it stays. */
  readonly fasterByMs: number | undefined;
  /**
   * The cause of moves to faster hubs. The name changes with the regions of the hubs, `latency` and `sticky`.
   */
  readonly fasterCause: string | undefined;
  readonly readsLatency: boolean;
  /** The latencies from the regions of devices to the hubs. */
  readonly regionLatencies: RegionLatencies;
  readonly movesOverMs: number;
  readonly rules: readonly Rule[];
  /** Whether a rule names parents of devices. */
  readonly namesParents: boolean;
  /** Whether Berth enters the scope of a parent in the identities of its children. */
  readonly setsScopes: boolean;
  readonly payload: Template | undefined;
  /** The paths of the request that rules, layers and the returned payload read, for receipts. */
  readonly reads: readonly (readonly string[])[];
  /** The paths of `reads` whose value goes to a redacted path of the initial twin. */
  readonly redactedReads: readonly (readonly string[])[];
}

export type WhenUnknown = 'apply' | 'skip' | 'refuse';

/** A rule; without a condition it always matches. */
export interface Rule {
  readonly name: string;
  readonly when: Expression | undefined;
  readonly whenUnknown: WhenUnknown;
  readonly effect: RuleEffect;
  /** The paths of the request that its condition and its parent read. */
  readonly reads: readonly (readonly string[])[];
}

export type RuleEffect =
  | { readonly kind: 'require'; readonly labels: Readonly<Record<string, string>> }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'deny'; readonly reason: string }
  /** The device id of the IoT Edge device above the device. */
  | { readonly kind: 'parent'; readonly parent: Template }
  | { readonly kind: 'prefer'; readonly factors: ReadonlyMap<HostName, number> };

export interface Twins {
  readonly scope: Expression | undefined;
  readonly redact: readonly (readonly string[])[];
  readonly layers: readonly Layer[];
  /** Whether Berth sends the initial twin for a device that registers again and keeps its hub. */
  readonly resendsInitial: boolean;
  readonly policies: readonly Policy[];
  /** How devices of a draining hub are asked to register again. Undefined: they are not asked. */
  readonly moveRequest: MoveRequest | undefined;
  /** The names of the components of device models, by model id. */
  readonly components: ReadonlyMap<string, ReadonlySet<string>>;
  /** Every path that a policy may own. Snapshots contain the history of these paths. */
  readonly trackedPaths: readonly (readonly string[])[];
  /**
   * What the scope, the policies and their rollouts read of reported properties, by the targeted module; `undefined`: of
   * devices. With earlier contents, what they read too.
   */
  readonly reportedReads: ReadonlyMap<string | undefined, ReportedReads>;
  /**
   * Contents of earlier fleet files that devices keep until a rollout reaches them, by hash. `previousContents` fills it
   * from the stored revisions; a parsed file has none.
   */
  readonly previous: ReadonlyMap<string, Policy>;
  /**
   * A property is contested if another writer changes it more than `writes` times within `withinMs`. Berth
   * then does not write it for `pauseMs`.
   */
  readonly fight: { readonly writes: number; readonly withinMs: number; readonly pauseMs: number };
}

/** How Berth asks the devices of a draining hub to register again (`allocation.moves.ask`). */
export interface MoveRequest {
  /**
   * A policy of Berth's own for one desired property. The plan puts the identity of the draining hub in the place of its
   * value. Its name is not a name that a policy of the file may have.
   */
  readonly policy: Policy;
  readonly leaf: PolicyLeaf;
  /** The hubs of the fleet file, whose names are values of Berth also outside the clouds that Berth knows. */
  readonly hosts: ReadonlySet<HostName>;
  /** The direct method that is called after the property was set. Undefined: none. */
  readonly method: string | undefined;
  /** A device is silent if it shows no life for this long after it was asked. */
  readonly silentAfterMs: number;
}

/** What depends on the reported properties of a twin. All paths are below `reported`. */
export interface ReportedReads {
  /** By the first key of the path. */
  readonly byKey: ReadonlyMap<string, ReadsOfKey>;
  /** What reads the reported properties as a whole. */
  readonly whole: ReadsOfKey;
}

export interface ReadsOfKey {
  readonly conditions: readonly { readonly when: Expression; readonly path: readonly string[] }[];
  /** Paths that the expressions of wanted values read. */
  readonly values: readonly (readonly string[])[];
  /** Properties that a policy may own. `isStrict`: each change below the first key may be about the property. */
  readonly leaves: readonly { readonly path: readonly string[]; readonly isStrict: boolean }[];
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
   * SHA-256 of the content of the policy, with its name. A device that rejected a policy gets new attempts
   * when the content changes.
   */
  readonly hash: string;
  /** The first 12 digits of `hash`, which identify the policy in the status of twins. */
  readonly id: string;
  /** Name of the targeted module; undefined for device twins. */
  readonly module: string | undefined;
  readonly when: Expression | undefined;
  readonly mode: PolicyMode;
  readonly leaves: readonly PolicyLeaf[];
  readonly tolerance: number;
  readonly cooldownMs: number;
  readonly attempts: number;
  readonly deadlineMs: number;
  readonly confirm: boolean;
  /** How matching devices acknowledge a value. */
  readonly acknowledgement: Acknowledgement;
  /**
   * The dotted paths of its properties with the name of an acknowledgement field, such as `hvac.ac`. Below
   * these paths, such names are values and not acknowledgements.
   */
  readonly answerNames: readonly string[];
  /** Whether it removes its values from a twin that it no longer matches. */
  readonly removesOnLeave: boolean;
  /** How a new content reaches the devices; undefined: all at once. Not part of the content. */
  readonly rollout: Rollout | undefined;
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
  /** How reported and desired values are compared with the value. */
  readonly compare: Comparison;
}
