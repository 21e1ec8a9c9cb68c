import type { EdgeDeployment } from '../../../fleet/edge/edge.ts';
import { evaluateCondition } from '../../../fleet/expressions/expression.ts';
import { ExpressionWork } from '../../../fleet/expressions/expression-work.ts';
import { fillTemplate } from '../../../fleet/expressions/template.ts';
import type { Fleet, Hub } from '../../../fleet/fleet.ts';
import type { ContentChoice, Hold, RolloutDevice } from '../../../rollout/content-choice.ts';
import { type EpochMs, laterOf, plus } from '../../../time/epoch-ms.ts';
import { type Instant, instantOf, latest } from '../../../time/instant.ts';
import { SKEW_MS } from '../../../twin/plan/contents.ts';
import { lifeAfterWrite } from '../../../twin/plan/life-after-write.ts';
import { twinVariables } from '../../../twin/plan/twin-variables.ts';
import type { AppliedManifest } from '../../../twin/snapshot/runtime-twin.ts';
import { NO_HISTORY, type PolicyStatus, type Snapshot } from '../../../twin/snapshot/snapshot.ts';
import type { Gate } from '../write-gate.ts';
import { sooner } from './edge-statuses.ts';

/** What one device gets of each deployment while rollouts run. */
export interface EdgeContents {
  readonly choices: readonly EdgeChoice[];
  /** What it gets of a deployment of the fleet file. Undefined: nothing. */
  contentOf(deployment: EdgeDeployment): EdgeDeployment | undefined;
  /** When a rollout reaches the device. Undefined: that is not known. */
  readonly nextAt: EpochMs | undefined;
}

interface EdgeChoice {
  readonly deployment: EdgeDeployment;
  readonly choice: ContentChoice<EdgeDeployment>;
  /** Whether the device matches the content of the fleet file. */
  readonly matches: boolean;
}

/** Statuses of a deployment whose content the device has. */
const ARRIVED: ReadonlySet<PolicyStatus | undefined> = new Set(['inSync', 'pending', 'lost', 'silent']);

/** Computed from the control row, as for policies: a device that a rollout has not reached keeps the earlier content. */
export function edgeContents(
  { device, agent }: { readonly device: Snapshot; readonly agent: Snapshot | undefined },
  { edge }: Pick<Fleet, 'edge'>,
  hub: Hub,
  gate: Gate,
  now: EpochMs,
): EdgeContents {
  const variables = twinVariables(device, hub);
  const work = new ExpressionWork();
  const applied = agent?.edge?.applied ?? [];
  const asked: RolloutDevice<EdgeDeployment> = {
    host: device.id.host,
    deviceId: device.id.deviceId,
    matches: (where) => evaluateCondition(where, variables, work) === true,
    timeZone: ({ timeZone }) => fillTemplate(timeZone, variables, [], work),
    hasContent: ({ id }, since) =>
      ARRIVED.has(agent?.lastReconcile.policies[id]) ||
      applied.some(({ contents, at }) => contents?.includes(id) === true && at >= plus(since, -SKEW_MS)),
  };
  const choices = (edge?.deployments ?? []).map((deployment): EdgeChoice => {
    const { when } = deployment;
    return {
      deployment,
      choice: gate.contentOf(deployment, asked, edge?.previous ?? new Map(), now),
      matches: when === undefined || evaluateCondition(when, variables, work) === true,
    };
  });
  return {
    choices,
    contentOf(deployment) {
      const found = choices.find((each) => each.deployment === deployment)?.choice;
      switch (found?.kind) {
        case 'previous':
        case 'back':
          return found.policy;
        case 'nothing':
          return undefined;
        default:
          return deployment;
      }
    },
    nextAt: choices.reduce<EpochMs | undefined>((first, { choice }) => {
      const { hold, closesAt }: { hold?: Hold; closesAt?: EpochMs } = choice;
      return sooner(first, sooner(hold?.until, closesAt));
    }, undefined),
  };
}

/** The status of each deployment that the device matches, and its stage in rollouts. */
export interface DeploymentStatuses {
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  readonly stages: Readonly<Record<string, string>>;
  readonly nextAt: EpochMs | undefined;
}

/** @param own the status of the whole manifest. Undefined: not known. */
export function deploymentStatuses(
  { choices }: EdgeContents,
  own: PolicyStatus | undefined,
  twins: readonly (Snapshot | undefined)[],
  applied: readonly AppliedManifest[],
  now: EpochMs,
): DeploymentStatuses {
  const policies: Record<string, PolicyStatus> = {};
  const stages: Record<string, string> = {};
  let nextAt: EpochMs | undefined;
  for (const { deployment, choice, matches } of choices) {
    if (!matches || choice.kind === 'back') continue;
    if (choice.kind !== 'new') policies[deployment.id] = 'unreached';
    else if (own !== undefined) {
      const life = statusWithLife(own, deployment, twins, applied, now);
      policies[deployment.id] = life.status;
      nextAt = sooner(nextAt, life.nextAt);
    }
    if (choice.stage !== undefined && policies[deployment.id] !== undefined) {
      stages[deployment.id] = choice.stage;
    }
  }
  return { policies, stages, nextAt };
}

/** A device that shows no life after the first apply of a content is lost, or was silent before. */
function statusWithLife(
  own: PolicyStatus,
  { id, hash, rollout }: EdgeDeployment,
  twins: readonly (Snapshot | undefined)[],
  applied: readonly AppliedManifest[],
  now: EpochMs,
): { readonly status: PolicyStatus; readonly nextAt?: EpochMs | undefined } {
  const first = applied.findLast(({ contents }) => contents?.includes(id) === true);
  if (rollout === undefined || rollout.isShort || first === undefined) return { status: own };
  const lifeAt = lifeOf(twins);
  const replaced = { policy: hash, value: null, at: instantOf(first.at), lifeAt: first.lifeAt };
  const { status, nextAt, askAt } = lifeAfterWrite(
    own,
    { hash, leaves: [{ path: [id], key: id, value: { kind: 'literal', value: null }, compare: 'exact' }] },
    { lifeAt, activity: undefined },
    { [id]: { ...NO_HISTORY, replaced } },
    rollout.gate.deadlineMs,
    now,
  );
  // No question is asked for IoT Edge devices; the deadline decides.
  return { status, nextAt: nextAt ?? (askAt === undefined ? undefined : laterOf(askAt, now)) };
}

/** The newest sign of life of the device and the modules of its runtime. */
export function lifeOf(twins: readonly (Snapshot | undefined)[]): Instant | undefined {
  return twins.reduce<Instant | undefined>((newest, twin) => {
    const lifeAt = twin?.lifeAt;
    if (lifeAt === undefined) return newest;
    return newest === undefined ? lifeAt : latest(newest, lifeAt);
  }, undefined);
}
