import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import { readable } from '../../fleet/expressions/expression-value.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Hub, Twins } from '../../fleet/fleet.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** The variables of the expressions in policies and deployments. */
export function twinVariables(
  { id, tags, desired, reported }: Pick<Snapshot, 'id' | 'tags' | 'desired' | 'reported'>,
  hub: Hub,
): Variables {
  const { deviceId, moduleId = null } = id;
  return {
    deviceId,
    moduleId,
    hub: hub.facts,
    tags: readable(tags),
    desired: readable(desired),
    reported: readable(reported),
  };
}

/** Whether Berth may touch a twin. If the condition is unknown, it does not. */
export function isInScope(
  { scope }: Pick<Twins, 'scope'>,
  variables: Variables,
  work: ExpressionWork,
): boolean {
  return scope === undefined || evaluateCondition(scope, variables, work) === true;
}
