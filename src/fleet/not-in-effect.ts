import type { ErrorDetail } from '../errors.ts';
import { pathText } from './problems.ts';
import type { FleetFile } from './schema.ts';

/**
 * Fields that are read and validated but change nothing in this version. Each falls on the safe side; an
 * operator is told at load.
 */
export function notInEffect({ allocation, twins }: FleetFile): readonly ErrorDetail[] {
  const notes: ErrorDetail[] = [];
  const note = (path: readonly PropertyKey[], instead: string) => {
    notes.push({ path: pathText(path), message: `is not in effect in this version: ${instead}` });
  };
  if (allocation.latency !== undefined) note(['allocation', 'latency'], 'placement goes by weights');
  if (allocation.load !== undefined) {
    note(['allocation', 'load'], 'no hub is passed over for its load; capacity holds');
  }
  if (allocation.sticky !== undefined) note(['allocation', 'sticky'], 'devices stay while they may stay');
  if (twins.rollout !== undefined) note(['twins', 'rollout'], 'policies own their paths, nothing is written');
  twins.policies.forEach((policy, index) => {
    const path = ['twins', 'policies', index];
    if (policy.mode !== 'enforce') note([...path, 'mode'], 'the policy owns its paths, nothing is written');
    if (policy.onLeave === 'remove') note([...path, 'onLeave'], 'values are kept');
  });
  return notes;
}
