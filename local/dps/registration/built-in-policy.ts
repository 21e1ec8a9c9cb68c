import { createHash } from 'node:crypto';
import type { AllocationPolicy } from '../enrollments/enrollment.ts';
import type { DpsLinkedHub } from '../enrollments/linked-hub.ts';

/**
 * The hub that DPS's own policies choose. `static` chooses the only hub of the enrollment. `hashed` distributes
 * registration ids by weight; the hash function of Azure is not published. `geoLatency` does the same: all local hubs
 * have the same latency, and the documentation says that a weighted hash breaks ties.
 */
export function chooseHub(
  policy: Exclude<AllocationPolicy, 'custom'>,
  candidates: readonly DpsLinkedHub[],
  registrationId: string,
): string | undefined {
  if (policy === 'static') return candidates[0]?.host;
  const open = candidates.filter(({ applyAllocationPolicy }) => applyAllocationPolicy !== false);
  const total = open.reduce((sum, hub) => sum + weightOf(hub), 0);
  const digest = createHash('sha256').update(registrationId.toLowerCase()).digest();
  let point = (digest.readUInt32BE() / 2 ** 32) * total;
  for (const hub of open) {
    point -= weightOf(hub);
    if (point < 0) return hub.host;
  }
  return open.at(-1)?.host;
}

function weightOf({ allocationWeight = 1 }: DpsLinkedHub): number {
  return allocationWeight;
}
