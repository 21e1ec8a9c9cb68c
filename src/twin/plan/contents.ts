import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate } from '../../fleet/expressions/template.ts';
import type { Policy } from '../../fleet/fleet.ts';
import { sameJson } from '../../json/json.ts';
import { type ContentChoice, type Hold, REACHED, type RolloutDevice } from '../../rollout/content-choice.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { type Instant, instantOf } from '../../time/instant.ts';
import { historyAt, type PathHistory, type PolicyStatus, type Snapshot } from '../snapshot/snapshot.ts';

/** A content that was rolled back, and what applies in its place. */
export interface RolledBack {
  readonly policy: Policy;
  /** The previous content. Undefined: there is none. */
  readonly before: Policy | undefined;
}

/** What applies to one twin while rollouts run. */
export interface Contents {
  /** The policies, with earlier contents where a rollout has not reached the twin. */
  readonly policies: readonly Policy[];
  /** What the twin gets of each policy of the fleet file. */
  readonly choices: readonly (readonly [Policy, ContentChoice])[];
  readonly rolledBack: readonly RolledBack[];
  /** Why a policy may not write, because its rollout has not reached the twin and there is no previous content. */
  readonly holds: ReadonlyMap<Policy, Hold>;
}

/** The contents that apply to a twin. Only policies with the target of the twin are asked for. */
export function contentsFor(
  policies: readonly Policy[],
  moduleId: string | undefined,
  contentOf: (policy: Policy) => ContentChoice,
): Contents {
  const own = policies.filter(({ module }) => module === moduleId);
  const choices = own.map((policy) => [policy, contentOf(policy)] as const);
  if (choices.every(([, choice]) => choice === REACHED)) {
    return { policies: own, choices, rolledBack: [], holds: NO_HOLDS };
  }
  return {
    policies: choices.flatMap(([policy, choice]) => givenContent(policy, choice) ?? []),
    choices,
    rolledBack: choices.flatMap(([, choice]) =>
      choice.kind === 'back' ? [{ policy: choice.rolledBack, before: choice.policy }] : [],
    ),
    holds: new Map(
      choices.flatMap(([policy, choice]) => (choice.kind === 'nothing' ? [[policy, choice.hold]] : [])),
    ),
  };
}

/** The content that a twin gets of a policy of the fleet file. Undefined: none. */
export function givenContent(policy: Policy, choice: ContentChoice): Policy | undefined {
  return choice.kind === 'previous' || choice.kind === 'back' ? choice.policy : policy;
}

const NO_HOLDS: ReadonlyMap<Policy, Hold> = new Map();

/** A clock may be behind by this much, so that a write looks older than the rollout that caused it. */
export const SKEW_MS = 5 * 60_000;

/** Statuses of a policy whose values are in the twin. A contested or refused value may never have been written. */
export const ARRIVED: ReadonlySet<PolicyStatus | undefined> = new Set<PolicyStatus>([
  'inSync',
  'pending',
  'lost',
  'silent',
]);

/**
 * The twin, as far as rollouts look at it.
 *
 * @param notKept the ids of contents that are not kept only because they have reached the twin
 */
export function rolloutDeviceOf(
  { id, paths, lastReconcile }: Snapshot,
  variables: Variables,
  work: ExpressionWork,
  notKept: ReadonlySet<string>,
): RolloutDevice {
  return {
    host: id.host,
    deviceId: id.deviceId,
    matches: (where) => evaluateCondition(where, variables, work) === true,
    timeZone: ({ timeZone }) => fillTemplate(timeZone, variables, [], work),
    hasContent({ hash, id: policyId, leaves }, since: EpochMs) {
      if (ARRIVED.has(lastReconcile.policies[policyId])) return true;
      const first = instantOf(plus(since, -SKEW_MS));
      return leaves.some(({ key }) => hasWritten(historyAt(paths, key), hash, first));
    },
    wasReached: ({ id: content }) =>
      lastReconcile.reached?.includes(content) === true && !notKept.has(content),
  };
}

/**
 * Whether a content has written a property since a time. What it replaced is not enough to know: the first write of a later
 * content takes its place. A value that a rollback gave back does not count as a write of the content.
 */
function hasWritten({ writes, replaced }: PathHistory, content: string, since: Instant): boolean {
  const own = replaced?.policy === content ? replaced : undefined;
  if (own !== undefined && own.at >= since) return true;
  return writes.some(
    ({ policy, at, value }) =>
      policy === content && at >= since && (own === undefined || !sameJson(value, own.value)),
  );
}

/**
 * Whether a property stays as it is after a rollback, because another writer has changed it since the rollout wrote it.
 *
 * @param content the hash of the content that was rolled back
 */
export function isChangedSince({ writes, foreign }: PathHistory, content: string): boolean {
  const [last] = writes;
  const [change] = foreign;
  return last?.policy === content && change !== undefined && change > last.at;
}
