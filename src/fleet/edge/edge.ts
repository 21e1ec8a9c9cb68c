import type { Expression } from '../expressions/expression.ts';
import type { Template } from '../expressions/template.ts';
import type { Rollout } from '../rollout.ts';

/** The compiled part `edge` of a fleet file: what runs on the IoT Edge devices. */
export interface Edge {
  readonly runtime: EdgeRuntime;
  readonly registries: readonly EdgeRegistry[];
  /** Layers, in their order. Later ones win for each module and each route. */
  readonly deployments: readonly EdgeDeployment[];
  /**
   * Contents of earlier fleet files that devices keep until a rollout reaches them, by hash. A parsed file has none.
   */
  readonly previous: ReadonlyMap<string, EdgeDeployment>;
}

/** The runtime itself: its two system modules and their settings. */
export interface EdgeRuntime {
  readonly minDockerVersion: string;
  readonly loggingOptions: string;
  readonly edgeAgent: EdgeContainer;
  readonly edgeHub: EdgeContainer & Pick<EdgeModule, 'status' | 'restartPolicy' | 'startupOrder'>;
  /** How long edgeHub keeps messages for the hub, in seconds. Negative: for ever. */
  readonly timeToLiveSecs: number;
}

/** Credentials of a container registry. Both are names of app settings; Berth reads the values when it applies a manifest. */
export interface EdgeRegistry {
  /** Its key in `registryCredentials`. */
  readonly name: string;
  readonly address: string;
  readonly username: string;
  readonly password: string;
}

/** One layer: modules and routes for the devices that match `when`. */
export interface EdgeDeployment {
  readonly name: string;
  /** SHA-256 of its content, with its name and without its rollout. */
  readonly hash: string;
  /** The first 12 digits of `hash`. */
  readonly id: string;
  readonly when: Expression | undefined;
  /** `undefined`: the layer removes the module of an earlier layer. */
  readonly modules: ReadonlyMap<string, EdgeModule | undefined>;
  /** `undefined`: the layer removes the route of an earlier layer. */
  readonly routes: ReadonlyMap<string, EdgeRoute | undefined>;
  /** How a new content reaches the devices; undefined: all at once. */
  readonly rollout: Rollout | undefined;
}

/** A container, as every module has one. */
export interface EdgeContainer {
  readonly image: string;
  /** Docker's options for the container as JSON text. Empty: none. */
  readonly createOptions: string;
  readonly env: readonly (readonly [string, EnvironmentValue])[];
  readonly imagePullPolicy: ImagePullPolicy | undefined;
}

export interface EdgeModule extends EdgeContainer {
  readonly status: ModuleStatus;
  readonly restartPolicy: RestartPolicy;
  readonly startupOrder: number | undefined;
  readonly version: string | undefined;
  /** The desired properties of the module twin. Undefined: the manifest leaves them alone. */
  readonly desired: Template | undefined;
}

/** The value of an environment variable. */
export type EnvironmentValue =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  /** The value of an app setting. It is a secret. */
  | { readonly kind: 'setting'; readonly setting: string }
  | { readonly kind: 'expression'; readonly expression: Expression };

export interface EdgeRoute {
  readonly route: string;
  /** 0 (first) to 9. Undefined: after all others. */
  readonly priority: number | undefined;
  /** Undefined: as for all messages. */
  readonly timeToLiveSecs: number | undefined;
}

export const MODULE_STATUSES = ['running', 'stopped'] as const;
export type ModuleStatus = (typeof MODULE_STATUSES)[number];

export const RESTART_POLICIES = ['never', 'on-failure', 'on-unhealthy', 'always'] as const;
export type RestartPolicy = (typeof RESTART_POLICIES)[number];

export const IMAGE_PULL_POLICIES = ['on-create', 'never'] as const;
export type ImagePullPolicy = (typeof IMAGE_PULL_POLICIES)[number];

/**
 * The most modules of one device. Source: Microsoft, "Understand IoT Edge limits and restrictions"
 * (iot-edge-limits-and-restrictions).
 */
export const MOST_MODULES = 50;
