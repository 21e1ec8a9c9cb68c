import { NO_DEVICES, type StageCounts } from '../rollout/gate.ts';
import type { PolicyStatus } from '../twin/snapshot/snapshot.ts';

/** The group of the gate that a device is in, by the status of the policy in its twin. */
const GROUPS: Readonly<Record<PolicyStatus, keyof StageCounts>> = {
  unreached: 'waiting',
  held: 'waiting',
  drifted: 'waiting',
  pending: 'pending',
  inSync: 'inSync',
  rejected: 'rejected',
  contested: 'contested',
  lost: 'lost',
  silent: 'silent',
};

/** The devices of a stage, from the number of twins with each policy status. */
export function stageCountsOf(statuses: Readonly<Partial<Record<PolicyStatus, number>>>): StageCounts {
  const counts = { ...NO_DEVICES } as Record<keyof StageCounts, number>;
  for (const [status, count] of Object.entries(statuses) as [PolicyStatus, number][]) {
    counts[GROUPS[status]] += count;
  }
  return counts;
}

export function sumOfCounts(all: readonly StageCounts[]): StageCounts {
  const sum = { ...NO_DEVICES } as Record<keyof StageCounts, number>;
  for (const counts of all)
    for (const [group, count] of Object.entries(counts)) sum[group as keyof StageCounts] += count;
  return sum;
}
