import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate } from '../../fleet/expressions/template.ts';
import type { Policy } from '../../fleet/fleet.ts';
import { type Hold, REACHED, type RolloutDevice, type Turn } from '../../rollout/turn.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { instantOf } from '../../time/instant.ts';
import { historyAt, type PathHistory, type PolicyStatus, type Snapshot } from '../snapshot/snapshot.ts';

/** A content that was rolled back, and what applies in its place. */
export interface RolledBack {
  /** The policy of the fleet file. Its content was rolled back. */
  readonly policy: Policy;
  /** The previous content. Undefined: there is none. */
  readonly before: Policy | undefined;
}

/** What applies to one twin while rollouts run. */
export interface Contents {
  /** The policies, with earlier contents where a rollout has not reached the twin. */
  readonly policies: readonly Policy[];
  /** What the twin gets of each policy of the fleet file. */
  readonly turns: readonly (readonly [Policy, Turn])[];
  readonly rolledBack: readonly RolledBack[];
  /** Why a policy may not write, because its rollout has not reached the twin and there is no previous content. */
  readonly holds: ReadonlyMap<Policy, Hold>;
}

/** The contents that apply to a twin. Only policies with the target of the twin are asked for. */
export function contentsFor(
  policies: readonly Policy[],
  moduleId: string | undefined,
  turnOf: (policy: Policy) => Turn,
): Contents {
  const own = policies.filter(({ module }) => module === moduleId);
  const turns = own.map((policy) => [policy, turnOf(policy)] as const);
  if (turns.every(([, turn]) => turn === REACHED)) {
    return { policies: own, turns, rolledBack: [], holds: NO_HOLDS };
  }
  return {
    policies: turns.flatMap(([policy, turn]) => {
      switch (turn.kind) {
        case 'previous':
          return [turn.policy];
        case 'back':
          return turn.policy === undefined ? [] : [turn.policy];
        default:
          return [policy];
      }
    }),
    turns,
    rolledBack: turns.flatMap(([policy, turn]) =>
      turn.kind === 'back' ? [{ policy, before: turn.policy }] : [],
    ),
    holds: new Map(turns.flatMap(([policy, turn]) => (turn.kind === 'nothing' ? [[policy, turn.hold]] : []))),
  };
}

const NO_HOLDS: ReadonlyMap<Policy, Hold> = new Map();

/** A clock may be behind by this much, so that a write looks older than the rollout that caused it. */
const SKEW_MS = 5 * 60_000;

/** Statuses of a policy whose content has reached the twin. */
const ARRIVED: ReadonlySet<PolicyStatus | undefined> = new Set<PolicyStatus>([
  'inSync',
  'pending',
  'rejected',
  'contested',
  'lost',
  'silent',
]);

/** The twin, as far as rollouts look at it. */
export function rolloutDeviceOf(
  { id, paths, lastReconcile }: Snapshot,
  variables: Variables,
  work: ExpressionWork,
): RolloutDevice {
  return {
    host: id.host,
    deviceId: id.deviceId,
    matches: (where) => evaluateCondition(where, variables, work) === true,
    timeZone: ({ timeZone }) => fillTemplate(timeZone, variables, [], work),
    hasContent({ hash, id: policyId, leaves }, since: EpochMs) {
      if (ARRIVED.has(lastReconcile.policies[policyId])) return true;
      const first = instantOf(plus(since, -SKEW_MS));
      return leaves.some(({ key }) => {
        const { replaced } = historyAt(paths, key);
        return replaced?.policy === hash && replaced.at >= first;
      });
    },
  };
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
