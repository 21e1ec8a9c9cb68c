import { advanceRollouts, type RolloutChange, type RolloutFacts } from '../../control/advance.ts';
import { settingsInForce } from '../../control/setting-values.ts';
import { stageCountsOf } from '../../control/stage-counts.ts';
import { rolloutContents } from '../../fleet/fleet.ts';
import {
  addStatusCounts,
  type CountedTwins,
  type PolicyStatusCounts,
  stageKey,
} from '../../store/twins/twin-count-store.ts';
import { type EpochMs, earlierOf, epochMs } from '../../time/epoch-ms.ts';
import type { ResyncContext } from './resync-context.ts';
import { resyncedAt } from './resync-twins.ts';

/**
 * Advances the rollouts of all policies by the counts of the twins. Only `resyncFleet` does this, on one instance at a time.
 * All other instances read the control row.
 */
export async function advanceGates(context: ResyncContext): Promise<void> {
  const { fleet, hosts, twinCounts, control, now, warn } = context;
  const inFile = rolloutContents(fleet).filter(
    ({ rollout, mode }) => rollout !== undefined && mode !== 'observe',
  );
  if (inFile.length === 0) return;
  const counted = [...(await twinCounts.read(hosts)).values()];
  const row = await control.read();
  const policies = [...inFile, ...settingsInForce(fleet, row)];
  const planned = await resyncedAt(context, row.generation);
  const facts = { ...rolloutFacts(counted, planned), hosts };
  if (advanceRollouts(row, policies, facts, now()).control === row) return;
  let changes: readonly RolloutChange[] = [];
  await control.update((latest) => {
    // Counts from before a change of the row say nothing about the row after it.
    if (latest.generation !== row.generation) return latest;
    const advanced = advanceRollouts(latest, policies, facts, now());
    changes = advanced.changes;
    return advanced.control;
  });
  for (const { kind, policy, stage, why } of changes) {
    if (kind === 'failed') {
      warn(`The rollout of the policy ${policy} has failed in stage ${stage}: ${why}.`, {
        code: 'BERTH_ROLLOUT_FAILED',
        policy,
        stage,
      });
    } else if (kind === 'needsApproval') {
      warn(`The rollout of the policy ${policy} waits for the approval of stage ${stage}: ${why}.`, {
        code: 'BERTH_ROLLOUT_NEEDS_APPROVAL',
        policy,
        stage,
      });
    }
  }
}

/**
 * What the counts of all hubs say about stages.
 *
 * @param planned since when every twin is planned with the present control row. Undefined: not yet.
 */
export function rolloutFacts(
  counted: readonly CountedTwins[],
  planned: EpochMs | undefined,
): Omit<RolloutFacts, 'hosts'> {
  const oldest = counted.reduce<EpochMs | undefined>(
    (first, { countedAt }) =>
      first === undefined || countedAt === undefined ? undefined : earlierOf(first, countedAt),
    epochMs(Number.POSITIVE_INFINITY),
  );
  const isComplete = oldest !== undefined && planned !== undefined && oldest > planned;
  return {
    countsOf({ id }, stage) {
      const key = stageKey(id, stage);
      const sum = counted.reduce<PolicyStatusCounts>(
        (counts, { policies }) => addStatusCounts(counts, policies[key] ?? {}),
        {},
      );
      return stageCountsOf(sum);
    },
    countedAt: isComplete ? oldest : undefined,
  };
}
