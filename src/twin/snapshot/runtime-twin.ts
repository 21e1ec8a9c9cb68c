import type { JsonObject } from '../../json/json.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Instant, latest, NEVER } from '../../time/instant.ts';
import { lastUpdatedAt, lastUpdatedOf, type Twin } from './twin.ts';

/* The twins of the two modules of IoT Edge itself. Their desired properties are the manifest of the device. */

export const AGENT_MODULE = '$edgeAgent';
export const HUB_MODULE = '$edgeHub';

/** Whether a module belongs to IoT Edge itself. A service cannot patch its twin (401100). */
export function isRuntimeModule(moduleId: string | undefined): boolean {
  return moduleId === AGENT_MODULE || moduleId === HUB_MODULE;
}

/** Times and writers that the status of an IoT Edge device needs. */
export interface RuntimeTimes {
  /** The hub's time of the present desired properties. */
  readonly desiredAt: Instant;
  /** The hub's time of the last report of `lastDesiredStatus` or `lastDesiredVersion`. Undefined: none. */
  readonly statusAt: Instant | undefined;
  /** The hub configurations that target the module (`configurations`). They overwrite every apply. */
  readonly configurations: readonly string[];
}

/** @param documentAt the time of the document, if its metadata has none */
export function runtimeTimesOf(twin: Twin, documentAt: Instant): RuntimeTimes {
  const { desired, reported, configurations = [] } = twin;
  const found = latest(
    lastUpdatedAt(reported.metadata, ['lastDesiredStatus']) ?? NEVER,
    lastUpdatedAt(reported.metadata, ['lastDesiredVersion']) ?? NEVER,
  );
  const desiredAt = lastUpdatedOf(desired.metadata);
  return {
    desiredAt: desiredAt === NEVER ? documentAt : desiredAt,
    statusAt: found === NEVER ? undefined : found,
    configurations,
  };
}

/** The times after a report. */
export function withReport(times: RuntimeTimes, reported: JsonObject, time: Instant): RuntimeTimes {
  const isStatus = ['lastDesiredStatus', 'lastDesiredVersion'].some((key) => Object.hasOwn(reported, key));
  return isStatus ? { ...times, statusAt: time } : times;
}

/** One manifest that Berth applied, without its contents. */
export interface AppliedManifest {
  /** SHA-256 of the content. */
  readonly content: string;
  /** Keyed hash of the values of its settings. */
  readonly secrets?: string | undefined;
  /** Identifies the key of `secrets`. */
  readonly key?: string | undefined;
  readonly at: EpochMs;
  /** The fleet revision. */
  readonly revision: string;
  readonly why: string;
  /** The deployments that it comes from. */
  readonly deployments: readonly string[];
  /** The ids of their contents. */
  readonly contents?: readonly string[] | undefined;
  /** The newest sign of life of the device before it. */
  readonly lifeAt?: Instant | undefined;
  /** The modules whose desired properties from before a rollout it gives back. */
  readonly givenBack?: readonly string[] | undefined;
  /** What its rollback could not give back. */
  readonly left?: readonly LeftProperty[] | undefined;
  /** The desired version of `$edgeAgent` after it. Undefined: not read yet. */
  readonly version?: number | undefined;
}

/** A desired property of a module that a rollback leaves as it is. */
export interface LeftProperty {
  readonly module: string;
  /** With dots. */
  readonly path: string;
  readonly why: string;
}

/** What manifests have set in the twin of one module. */
export interface ModuleRecord {
  /** What the last manifest with desired properties has set, without the values of policies. Hidden values are hashes. */
  readonly applied: JsonObject;
  /** The desired properties before the first apply of each content, the newest first. */
  readonly replaced: readonly {
    readonly deployment: string;
    /** The id of its content. */
    readonly content: string;
    readonly value: JsonObject;
    readonly at: EpochMs;
  }[];
}

/** What Berth keeps of an IoT Edge device, with the snapshot of its `$edgeAgent`. */
export interface EdgeRecord {
  /** The newest first, at most ten. */
  readonly applied: readonly AppliedManifest[];
  /** From before an apply until its result is stored. */
  readonly intent?: AppliedManifest | undefined;
  /** An operator allowed Berth to replace a manifest that it did not make. */
  readonly adoption?: { readonly author: string; readonly reason: string; readonly at: EpochMs } | undefined;
  /** The manifest that the hub refused. It is not sent again until it changes. */
  readonly refused?:
    | { readonly content: string; readonly secrets?: string | undefined; readonly why: string }
    | undefined;
  /** Only modules whose desired properties a content with a rollout has set. */
  readonly modules?: Readonly<Record<string, ModuleRecord>> | undefined;
  /** When Berth put back what another writer had changed, the newest first. */
  readonly putBack: readonly EpochMs[];
}

export const NO_EDGE_RECORD: EdgeRecord = { applied: [], putBack: [] };
