import type { StagedRollout } from '../api/contract.ts';
import type { RolloutAction } from './berth-commands.ts';
import type { ChangeKind } from './change-form.ts';

/** The changes of a rollout that `berth rollouts` would accept now, besides an approval. */
export function rolloutChanges({ policy, status, pause, end }: StagedRollout): readonly ChangeKind[] {
  const isUnderWay = end === null && status !== 'not begun' && status !== 'complete';
  const change = (action: RolloutAction): ChangeKind => ({
    kind: 'rollout',
    action,
    policy,
  });
  return [
    ...(isUnderWay ? [change(pause === null ? 'pause' : 'resume')] : []),
    ...(status !== 'not begun' && end?.kind !== 'rolledBack'
      ? [change('rollback'), change('rollbackInStages')]
      : []),
    ...(isUnderWay ? [change('abort')] : []),
  ];
}
