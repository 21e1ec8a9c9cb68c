import type { Tier } from '../../iot-hub/throttles.ts';
import { MINUTE_MS } from '../../liveness/evidence.ts';
import type { HubLiveness } from '../../liveness/liveness.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';

/**
 * The least time between the starts of two audits of a silent hub. The budget of a large hub makes it longer. F1 has few messages
 * a day, and its smallest page costs 32 of them.
 */
export function silenceAuditEveryMs(tier: Tier): number {
  return tier === 'F1' ? 50 * MINUTE_MS : 10 * MINUTE_MS;
}

/** The results of queries may be minutes old (iot-hub-devguide-query-language). */
export const QUERY_LAG_MS = 30 * MINUTE_MS;

/**
 * Whether another audit must start, after the last one is done. While the hub is silent: at once, and again and again. After the
 * silence: at once, and once more when a query shows for certain what changed during the silence.
 *
 * @param startedAt the start of the last audit.
 */
export function silenceAuditDue(
  liveness: Pick<HubLiveness, 'state' | 'silence'> | undefined,
  startedAt: EpochMs,
  tier: Tier,
  now: EpochMs,
): boolean {
  const silence = liveness?.silence;
  if (silence === undefined || liveness?.state === 'late') return false;
  const { noticedAt, until } = silence;
  if (until === undefined) return startedAt < noticedAt || now - startedAt >= silenceAuditEveryMs(tier);
  const certainAt = plus(until, QUERY_LAG_MS);
  return startedAt < until || (now >= certainAt && startedAt < certainAt);
}
