import type { EdgeDecision } from '../../../edge/edge-decision.ts';
import type { ModuleChange } from '../../../edge/manifest-diff.ts';
import type { Provenance } from '../../../edge/manifest-for.ts';
import { desiredBefore, withDesired, withSetDesired } from '../../../edge/module-desired.ts';
import { withPolicyValues } from '../../../edge/policy-values.ts';
import type { FilledManifest } from '../../../fleet/edge/manifest.ts';
import type { NoPermit } from '../../../hub/budget.ts';
import { HubError } from '../../../hub/port.ts';
import type { JsonObject } from '../../../json/json.ts';
import { type EpochMs, plus } from '../../../time/epoch-ms.ts';
import { redactValues } from '../../../twin/redaction/redact-values.ts';
import {
  type EdgeRecord,
  type LeftProperty,
  type ModuleRecord,
  NO_EDGE_RECORD,
} from '../../../twin/snapshot/runtime-twin.ts';
import type { Snapshot } from '../../../twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../../../twin/snapshot/twin.ts';
import { backOff } from '../back-off.ts';
import type { SyncContext } from '../sync-context.ts';
import type { EdgeContents } from './edge-contents.ts';
import { knownSnapshot } from './edge-work-state.ts';

/** A manifest as it is sent, with what it does to the twins of its modules. */
export interface ManifestWithTwins {
  readonly kind: 'ready';
  readonly filled: FilledManifest;
  readonly modules: EdgeRecord['modules'];
  readonly givenBack: readonly string[];
  readonly left: readonly LeftProperty[];
}

type Applying = Extract<EdgeDecision, { kind: 'apply' }>;

/**
 * Completes a manifest with what it must keep or give back in module twins: the values of policies, and after a rollback the desired
 * properties from before it. Berth stores only module twins that policies target. So it reads the twin of another module before the
 * first apply of a content of a rollout that sets its desired properties, and before the rollback. `noPermit`: a module twin could not
 * be read, so the apply must wait.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function manifestWithTwins(
  context: SyncContext,
  agent: Snapshot,
  { filled, manifest, diff }: Applying,
  contents: EdgeContents | undefined,
  at: EpochMs,
): Promise<ManifestWithTwins | NoPermit> {
  const { twins, fleet, redaction } = context;
  const { host, deviceId } = agent.id;
  const policies = [...fleet.twins.policies, ...fleet.twins.previous.values()];
  const { modules: before = {}, applied } = agent.edge ?? NO_EDGE_RECORD;
  const snapshots = new Map<string, Snapshot | undefined>();
  const targeted = new Set(policies.flatMap(({ module }) => module ?? []));
  for (const moduleId of filled.modules.keys()) {
    if (!targeted.has(moduleId)) continue;
    const { known } = await twins.load({ host, deviceId, moduleId });
    snapshots.set(moduleId, knownSnapshot(known));
  }
  const presentOf = async (moduleId: string): Promise<Desired | NoPermit> => {
    const snapshot = snapshots.get(moduleId);
    if (snapshot !== undefined && snapshot.unread === undefined)
      return { kind: 'desired', desired: snapshot.desired };
    return desiredAtHub(context, { host, deviceId, moduleId }, diff.modules);
  };
  const modules: Record<string, ModuleRecord> = { ...before };
  const given = new Map<string, JsonObject>();
  const givenBack: string[] = [];
  const left: LeftProperty[] = [];
  for (const [name, { desired }] of filled.modules) {
    const found = before[name];
    const source = desired === undefined ? undefined : sourceOf(name, manifest.provenance, contents);
    const back = desired === undefined && found !== undefined ? backOf(found, contents) : undefined;
    if (source !== undefined && desired !== undefined) {
      const hidden = redactValues(desired, redaction, 'section');
      const set = { ...source, desired: hidden, at };
      const isKnown = found?.replaced.some(({ content }) => content === source.content) === true;
      const present = isKnown ? undefined : await presentOf(name);
      if (present !== undefined && present.kind !== 'desired') return present;
      modules[name] = withSetDesired(found, present?.desired ?? {}, set);
    }
    if (back === undefined || found === undefined) continue;
    // Read now, because another writer may have changed it since the last event.
    const present = await desiredAtHub(context, { host, deviceId, moduleId: name }, diff.modules);
    if (present.kind !== 'desired') return present;
    const since = applied.find((each) => each.contents?.includes(back.content ?? '') === true)?.at;
    const owned = policies.flatMap(({ module, leaves }) =>
      module === name ? leaves.map(({ path }) => path) : [],
    );
    const result = desiredBefore(name, found, present.desired, { deployment: back.deployment, since, owned });
    if (result === undefined) continue;
    left.push(...result.left);
    givenBack.push(name);
    if (result.desired !== present.desired) given.set(name, result.desired);
  }
  return {
    kind: 'ready',
    filled: withPolicyValues(withDesired(filled, given), policies, (module) => snapshots.get(module)),
    modules: Object.keys(modules).length === 0 ? undefined : modules,
    givenBack,
    left,
  };
}

/** The deployment that a module comes from, with the id of its content. Undefined: it has no rollout. */
function sourceOf(
  module: string,
  { modules, deployments, contents: ids }: Provenance,
  contents: EdgeContents | undefined,
): { readonly deployment: string; readonly content: string } | undefined {
  const deployment = modules[module]?.deployment;
  if (deployment === undefined) return undefined;
  const content = ids[deployments.indexOf(deployment)];
  const isInRollout = contents?.choices.some(
    (each) => each.deployment.name === deployment && each.deployment.rollout !== undefined,
  );
  return content === undefined || isInRollout !== true ? undefined : { deployment, content };
}

/** The deployment of the record that was rolled back, and the id of the content that the device gets now. */
function backOf(
  { replaced }: ModuleRecord,
  contents: EdgeContents | undefined,
): { readonly deployment: string; readonly content: string | undefined } | undefined {
  for (const { deployment, choice } of contents?.choices ?? []) {
    if (choice.kind !== 'back' || !replaced.some((each) => each.deployment === deployment.name)) continue;
    return { deployment: deployment.name, content: choice.policy?.id };
  }
  return undefined;
}

interface Desired {
  readonly kind: 'desired';
  readonly desired: JsonObject;
}

/** The desired properties of a module that is not stored. */
async function desiredAtHub(
  { hubs, now }: SyncContext,
  id: TwinId,
  changes: readonly ModuleChange[],
): Promise<Desired | NoPermit> {
  const none: Desired = { kind: 'desired', desired: {} };
  if (changes.some(({ name, kind }) => name === id.moduleId && kind === 'added')) return none;
  try {
    const read = await hubs.readTwin(id);
    return read.kind === 'noPermit' ? read : { kind: 'desired', desired: read.answer.desired.values };
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code === 'BERTH_HUB_NOT_FOUND') return none;
    const at = plus(now(), backOff(error, twinKey(id), 0));
    return { kind: 'noPermit', at, why: error.message, isQuota: false };
  }
}
