/** The result of comparing some snapshots with the twins on their hub. */
export interface SampleComparison {
  readonly sampled: number;
  readonly mismatched: number;
}

/** Fewer mismatches may be chance: an event may arrive during the comparison. */
const LEAST_MISMATCHES = 3;
const MAX_MISMATCH_RATE = 0.01;

/**
 * Why a hub's events cannot be trusted to be complete. Undefined: they can. The rules for versions are inferred and not
 * documented, so the audit checks them.
 */
export function whyUntrusted({ sampled, mismatched }: SampleComparison): string | undefined {
  if (mismatched < LEAST_MISMATCHES || mismatched / sampled <= MAX_MISMATCH_RATE) return undefined;
  return `${mismatched} of ${sampled} compared snapshots differ from the twins on the hub`;
}
