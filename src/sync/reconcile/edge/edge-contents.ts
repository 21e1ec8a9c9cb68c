import type { DeviceManifest } from '../../../edge/manifest-for.ts';
import type { EdgeDeployment } from '../../../fleet/edge/edge.ts';
import type { SettingContent } from '../../../fleet/edge/setting-values.ts';
import { type Expression, evaluateCondition } from '../../../fleet/expressions/expression.ts';
import { ExpressionWork } from '../../../fleet/expressions/expression-work.ts';
import { fillTemplate } from '../../../fleet/expressions/template.ts';
import type { Fleet, Hub } from '../../../fleet/fleet.ts';
import type { RolloutContent } from '../../../fleet/rollout.ts';
import type { ContentChoice, Hold, RolloutDevice } from '../../../rollout/content-choice.ts';
import { type EpochMs, plus } from '../../../time/epoch-ms.ts';
import { type Instant, instantOf, latest } from '../../../time/instant.ts';
import { SKEW_MS } from '../../../twin/plan/contents.ts';
import { type LifeStatus, lifeAfterWrite } from '../../../twin/plan/life-after-write.ts';
import type { PlannedRollout } from '../../../twin/plan/rollout-statuses.ts';
import { isInScope, twinVariables } from '../../../twin/plan/twin-variables.ts';
import type { AppliedManifest } from '../../../twin/snapshot/runtime-twin.ts';
import { NO_HISTORY, type PolicyStatus, type Snapshot } from '../../../twin/snapshot/snapshot.ts';
import type { Gate } from '../write-gate.ts';
import { sooner } from './edge-statuses.ts';

/** What one device gets of each deployment while rollouts run. */
export interface EdgeContents {
  readonly choices: readonly EdgeChoice[];
  /** What it gets of a deployment of the fleet file. Undefined: nothing. */
  contentOf(deployment: EdgeDeployment): EdgeDeployment | undefined;
  /** The present values of the settings of the deployments that it has. Each apply carries them. */
  readonly values: readonly ValuesChoice[];
  /** Why an apply only for these values must wait. Undefined: it need not. */
  holdOfValues(): Hold | undefined;
  /** The deployments whose rollout was rolled back. */
  readonly rolledBack: readonly string[];
  /** When a rollout reaches the device. Undefined: that is not known. */
  readonly nextAt: EpochMs | undefined;
}

interface EdgeChoice {
  readonly deployment: EdgeDeployment;
  readonly choice: ContentChoice<EdgeDeployment>;
  /** Whether the device matches the content of the fleet file. */
  readonly matches: boolean;
  /** The content that the device gets, if the device does not match it. Then it gets no module of it. */
  readonly unmatched: EdgeDeployment | undefined;
}

interface ValuesChoice {
  readonly content: SettingContent;
  readonly choice: ContentChoice<SettingContent>;
}

/** Statuses of a deployment whose content the device has. */
const ARRIVED: ReadonlySet<PolicyStatus | undefined> = new Set(['inSync', 'pending', 'lost', 'silent']);

/** Values of app settings have no condition. */
interface Conditional {
  readonly when?: Expression | undefined;
}

/** What decides about the contents of one device. */
interface ContentsInput {
  readonly fleet: Pick<Fleet, 'edge' | 'twins'>;
  readonly hub: Hub;
  /** The present values of the settings of all deployments. */
  readonly settings: readonly SettingContent[];
  readonly gate: Pick<Gate, 'contentOf'>;
  readonly now: EpochMs;
}

/**
 * Computed from the control row, as for policies: a device that a rollout has not reached keeps the earlier content. A device outside of
 * `twins.scope`, and one that is no longer an IoT Edge device, takes part in no rollout.
 */
export function edgeContents(
  { device, agent }: { readonly device: Snapshot; readonly agent: Snapshot | undefined },
  { fleet: { edge, twins }, hub, settings, gate, now }: ContentsInput,
): EdgeContents {
  const variables = twinVariables(device, hub);
  const work = new ExpressionWork();
  const takesPart = device.isEdge !== false && isInScope(twins, variables, work);
  const { applied = [], intent } = agent?.edge ?? {};
  // An apply without a result was made after its stage had reached the device.
  const applies = intent === undefined ? applied : [intent, ...applied];
  const isMatched = ({ when }: Conditional) =>
    when === undefined || evaluateCondition(when, variables, work) === true;
  const asked: RolloutDevice<RolloutContent & Conditional> = {
    host: device.id.host,
    deviceId: device.id.deviceId,
    matches: (where) => evaluateCondition(where, variables, work) === true,
    timeZone: ({ timeZone }) => fillTemplate(timeZone, variables, [], work),
    hasContent: ({ id }, since) =>
      ARRIVED.has(agent?.lastReconcile.policies[id]) ||
      applies.some(({ contents, at }) => contents?.includes(id) === true && at >= plus(since, -SKEW_MS)),
    // A device that matches the content now gets its first modules only as any other device that has nothing of it.
    wasReached: (content) =>
      agent?.lastReconcile.reached?.includes(content.id) === true && !isMatched(content),
  };
  const deployments = takesPart ? (edge?.deployments ?? []) : [];
  const choices = deployments.map((deployment): EdgeChoice => {
    const choice = gate.contentOf(deployment, asked, edge?.previous ?? new Map(), now);
    const given = givenDeployment(deployment, choice);
    const unmatched = given !== undefined && !isMatched(given) ? given : undefined;
    return { deployment, choice, matches: isMatched(deployment), unmatched };
  });
  const contentOf = (deployment: EdgeDeployment): EdgeDeployment | undefined => {
    const found = choices.find((each) => each.deployment === deployment);
    return found === undefined ? deployment : givenDeployment(deployment, found.choice);
  };
  const present = choices.flatMap(({ deployment }) => {
    const content = contentOf(deployment);
    return content !== undefined && isMatched(content) ? [content.name] : [];
  });
  const values = settings.flatMap((content): ValuesChoice[] =>
    present.includes(content.deployment)
      ? [{ content, choice: gate.contentOf(content, asked, new Map(), now) }]
      : [],
  );
  return {
    choices,
    contentOf,
    values,
    rolledBack: choices.flatMap(({ deployment: { name }, choice }) => (choice.kind === 'back' ? [name] : [])),
    holdOfValues: () => values.map(({ choice }) => holdIn(choice)).find((hold) => hold !== undefined),
    nextAt: [
      ...choices.flatMap(({ choice }) => [
        holdIn(choice)?.until,
        'awaits' in choice ? choice.awaits?.until : undefined,
        'closesAt' in choice ? choice.closesAt : undefined,
      ]),
      // This instance has other values than the newest one, and cannot know whether the device has those.
      ...values.map(({ choice }) => (choice.stage === undefined ? holdIn(choice)?.until : undefined)),
    ].reduce<EpochMs | undefined>((first, at) => sooner(first, at), undefined),
  };
}

/** Undefined: nothing of the deployment. */
function givenDeployment(
  deployment: EdgeDeployment,
  choice: ContentChoice<EdgeDeployment>,
): EdgeDeployment | undefined {
  switch (choice.kind) {
    case 'new':
      return deployment;
    case 'previous':
    case 'back':
      return choice.policy;
    case 'nothing':
      return undefined;
  }
}

function holdIn<Content extends RolloutContent>(choice: ContentChoice<Content>): Hold | undefined {
  return 'hold' in choice ? choice.hold : undefined;
}

/** The ids of the contents that an apply brings: of the deployments, and of the present values of their settings. */
export function contentIds(
  { manifest }: { readonly manifest: DeviceManifest },
  contents: EdgeContents | undefined,
): readonly string[] {
  return [...manifest.provenance.contents, ...(contents?.values ?? []).map(({ content }) => content.id)];
}

/**
 * What the device gets of each deployment whose rollout is not complete, and of the changed values of their settings. For
 * operators.
 */
export function edgeRollouts({ choices, values }: EdgeContents): readonly PlannedRollout[] {
  const all = [
    ...choices.flatMap(({ deployment: { name }, choice, matches }) => (matches ? [{ name, choice }] : [])),
    ...values.map(({ content: { name }, choice }) => ({ name, choice })),
  ];
  return all.flatMap(({ name, choice }): PlannedRollout[] => {
    const { kind: gets, stage = null } = choice;
    if (gets === 'new' && stage === null) return [];
    const { why = '', until } = holdIn<RolloutContent>(choice) ?? {};
    return [{ policy: name, stage, gets, why, until }];
  });
}

/** The status of each deployment that the device matches, and its stage in rollouts. */
export interface DeploymentStatuses {
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  readonly stages: Readonly<Record<string, string>>;
  /** The contents of rollouts that have reached the device, and that it does not match. */
  readonly reached: readonly string[];
  readonly nextAt: EpochMs | undefined;
}

/**
 * @param own the status of the whole manifest. Undefined: not known.
 * @param valuesWait the device has earlier values of its settings, because the rollout of the present ones has not reached it
 */
export function deploymentStatuses(
  { choices, values }: EdgeContents,
  own: PolicyStatus | undefined,
  valuesWait: boolean,
  twins: readonly (Snapshot | undefined)[],
  applied: readonly AppliedManifest[],
  now: EpochMs,
): DeploymentStatuses {
  const policies: Record<string, PolicyStatus> = {};
  const stages: Record<string, string> = {};
  let nextAt: EpochMs | undefined;
  for (const { content, choice } of values) {
    if (choice.stage === undefined || own === undefined) continue;
    stages[content.id] = choice.stage;
    if (valuesWait && choice.kind !== 'new') policies[content.id] = 'unreached';
    else {
      const life = statusWithLife(own, content, twins, applied, now);
      policies[content.id] = life.status;
      nextAt = sooner(nextAt, life.nextAt);
    }
  }
  for (const { deployment, choice, matches } of choices) {
    if (!matches || (choice.kind === 'back' && choice.hold === undefined)) continue;
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
  // A device that waits for an apply still runs what the content ends.
  const isInPlace = ARRIVED.has(own);
  const reached = choices.flatMap(({ choice, unmatched }) =>
    unmatched !== undefined && 'mayFallBack' in choice && (isInPlace || choice.isKept === true)
      ? [unmatched.id]
      : [],
  );
  return { policies, stages, reached, nextAt };
}

/** A device that shows no life after the first apply of a content is lost, or was silent before. */
function statusWithLife(
  own: PolicyStatus,
  { id, hash, rollout }: RolloutContent,
  twins: readonly (Snapshot | undefined)[],
  applied: readonly AppliedManifest[],
  now: EpochMs,
): LifeStatus {
  const first = applied.findLast(({ contents }) => contents?.includes(id) === true);
  if (rollout === undefined || rollout.isShort || first === undefined) return { status: own };
  const lifeAt = lifeOf(twins);
  const replaced = { policy: hash, value: null, at: instantOf(first.at), lifeAt: first.lifeAt };
  return lifeAfterWrite(
    own,
    { hash, leaves: [{ path: [id], key: id, value: { kind: 'literal', value: null }, compare: 'exact' }] },
    { lifeAt, activity: 'neverAsked' },
    { [id]: { ...NO_HISTORY, replaced } },
    rollout.gate.deadlineMs,
    now,
  );
}

/** The newest sign of life of the device and the modules of its runtime. */
export function lifeOf(twins: readonly (Snapshot | undefined)[]): Instant | undefined {
  return twins.reduce<Instant | undefined>((newest, twin) => {
    const lifeAt = twin?.lifeAt;
    if (lifeAt === undefined) return newest;
    return newest === undefined ? lifeAt : latest(newest, lifeAt);
  }, undefined);
}
