import * as z from 'zod';
import { type EpochMs, epochMs, laterOf, plus } from '../time/epoch-ms.ts';
import { epochMsSchema } from '../time/epoch-ms-schema.ts';

/*
 * What is known of the twin change events of one hub in one partition of the Event Hub: how many corrections were written, how
 * many of them came back as events (their echo), and the newest event. It is small, because it counts by minute. Pure.
 */

/** The corrections that were written in one minute, and how many of them came back. */
export interface EchoMinute {
  /** The beginning of the minute, by the hub's clock. */
  readonly at: EpochMs;
  readonly written: number;
  readonly echoed: number;
}

/** The evidence of one hub in one shard. A shard is a partition of the Event Hub, or `resync` for what `resyncFleet` writes. */
export interface LivenessEvidence {
  /** When the Event Hub received the newest twin change event. Events of identities do not count. */
  readonly changedAt?: EpochMs | undefined;
  /** The time in the newest heartbeat that came back. */
  readonly beatAt?: EpochMs | undefined;
  /** In the order of time. Minutes without corrections are left out. */
  readonly minutes: readonly EchoMinute[];
}

export const evidenceSchema: z.ZodType<LivenessEvidence> = z.object({
  changedAt: epochMsSchema.optional(),
  beatAt: epochMsSchema.optional(),
  minutes: z.array(z.object({ at: epochMsSchema, written: z.int().min(0), echoed: z.int().min(0) })),
});

export const NO_EVIDENCE: LivenessEvidence = { minutes: [] };

/** The shard of the corrections that `resyncFleet` writes. Their events come in any partition. */
export const RESYNC_SHARD = 'resync';

export const MINUTE_MS = 60_000;
/** Older minutes are dropped. A correction counts as lost after ten minutes, unless Berth is behind. */
export const EVIDENCE_KEPT_MS = 2 * 60 * MINUTE_MS;

/** The beginning of the minute of a time. */
export function minuteOf(at: EpochMs): EpochMs {
  return epochMs(Math.floor(at / MINUTE_MS) * MINUTE_MS);
}

/** Two pieces of evidence of the same hub together, without minutes that are too old. */
export function addEvidence(one: LivenessEvidence, other: LivenessEvidence, now: EpochMs): LivenessEvidence {
  const minutes = new Map<EpochMs, EchoMinute>();
  for (const minute of [...one.minutes, ...other.minutes]) {
    if (minute.at < plus(now, -EVIDENCE_KEPT_MS)) continue;
    const before = minutes.get(minute.at);
    minutes.set(minute.at, {
      at: minute.at,
      written: minute.written + (before?.written ?? 0),
      echoed: minute.echoed + (before?.echoed ?? 0),
    });
  }
  return {
    changedAt: newest(one.changedAt, other.changedAt),
    beatAt: newest(one.beatAt, other.beatAt),
    minutes: [...minutes.values()].sort((first, second) => first.at - second.at),
  };
}

function newest(one: EpochMs | undefined, other: EpochMs | undefined): EpochMs | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return laterOf(one, other);
}
