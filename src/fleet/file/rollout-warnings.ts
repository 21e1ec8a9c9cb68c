import type { ErrorDetail } from '../../errors.ts';
import { parseDuration } from '../../time/duration.ts';
import type { RolloutFile } from '../rollout-schema.ts';
import type { FleetFile } from '../schema.ts';
import { pathText } from './problems.ts';

/** A `rollout` of the file, and where it is. */
interface PlacedRollout {
  readonly rollout: RolloutFile;
  readonly path: readonly (string | number)[];
}

/** Every `rollout` of a file: the default, and those of policies and deployments. */
export function rolloutsOf({ twins, edge }: FleetFile): readonly PlacedRollout[] {
  const parts = [
    ...twins.policies.map(({ rollout }, index) => ({
      rollout,
      path: ['twins', 'policies', index, 'rollout'],
    })),
    ...(edge?.deployments ?? []).map(({ rollout }, index) => ({
      rollout,
      path: ['edge', 'deployments', index, 'rollout'],
    })),
  ];
  const own = parts.flatMap(({ rollout, path }) => (rollout === undefined ? [] : [{ rollout, path }]));
  return twins.rollout === undefined ? own : [{ rollout: twins.rollout, path: ['twins', 'rollout'] }, ...own];
}

/** Warnings about valid rollouts with an effect that the operator may not expect. */
export function rolloutWarnings(file: FleetFile): readonly ErrorDetail[] {
  const observers = file.twins.policies.flatMap(({ mode, rollout }, index) =>
    mode === 'observe' && rollout !== undefined
      ? [
          {
            path: pathText(['twins', 'policies', index, 'rollout']),
            message: 'has no effect, because the policy only observes: remove it, or choose another mode',
          },
        ]
      : [],
  );
  return [...observers, ...rolloutsOf(file).flatMap(warningsOn)];
}

function warningsOn({ rollout, path }: PlacedRollout): readonly ErrorDetail[] {
  const { stages = [], gate, approvers } = rollout;
  const warning = (below: readonly (string | number)[], message: string) => ({
    path: pathText([...path, ...below]),
    message,
  });
  const hasApproval = stages.some(({ approve }) => approve);
  const deadlineMs = parseDuration(gate?.deadline ?? '24h') ?? 0;
  const early = stages.slice(0, -1).findIndex(({ atLeast, over }) => {
    return Math.max(parseDuration(atLeast) ?? 0, parseDuration(over) ?? 0) === 0;
  });
  const waits = (gate?.inSync ?? 0.95) < 0.5;
  return [
    ...(approvers !== undefined && !hasApproval
      ? [
          warning(
            ['approvers'],
            'are asked only after a stage in which no device takes part, because no stage has "approve": true',
          ),
        ]
      : []),
    ...(early >= 0
      ? [
          warning(
            ['stages', early],
            'has no least time, so the next stage begins as soon as the gate has its results: write atLeast',
          ),
        ]
      : []),
    ...(waits && deadlineMs > 0 && stages.length > 1
      ? [
          warning(
            ['gate', 'inSync'],
            `is ${gate?.inSync}, so a stage may end while most of its devices have not answered: write at least 0.5`,
          ),
        ]
      : []),
  ];
}
