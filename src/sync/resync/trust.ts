/** What comparing some snapshots with their hub's twins came to. */
export interface SampleComparison {
  readonly sampled: number;
  readonly mismatched: number;
}

/** Fewer may be bad luck: an event that came in while the two were compared. */
const LEAST_MISMATCHES = 3;
const MAX_MISMATCH_RATE = 0.01;

/**
 * Why a hub's events cannot be trusted to tell everything; undefined: they can. That they can rests on arithmetic of
 * versions that is inferred and not documented, so it is checked.
 */
export function whyUntrusted({ sampled, mismatched }: SampleComparison): string | undefined {
  if (mismatched < LEAST_MISMATCHES || mismatched / sampled <= MAX_MISMATCH_RATE) return undefined;
  return `${mismatched} of ${sampled} compared snapshots differ from the twins on the hub`;
}
