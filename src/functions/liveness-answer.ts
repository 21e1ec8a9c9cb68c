import type { HubLivenessAnswer } from '../api/contract.ts';
import type { LivenessOverview } from '../overview/hub-liveness.ts';
import { isoTime } from './http-answer.ts';

/** The liveness of a hub as the HTTP functions answer it. */
export function describeLiveness(overview: LivenessOverview): HubLivenessAnswer {
  const { state, since, why, changedAt, echoedAt, heartbeat, unchecked } = overview;
  return {
    state,
    since: isoTime(since),
    why,
    changedAt: isoTime(changedAt),
    echoedAt: isoTime(echoedAt),
    heartbeat:
      heartbeat === undefined
        ? null
        : { result: heartbeat.result, at: isoTime(heartbeat.at), why: heartbeat.why ?? null },
    unchecked:
      unchecked === undefined
        ? null
        : { ...unchecked, since: isoTime(unchecked.since), waits: unchecked.waits ?? null },
  };
}
