import type { Policy } from '../../fleet/fleet.ts';
import { DAY_MS } from '../../time/day.ts';
import { type EpochMs, earlierOf, laterOf, plus } from '../../time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../../time/instant.ts';
import { nextAnswerStep } from '../answers/answer.ts';
import { historyAt, type PathHistory, type PolicyStatus, type Snapshot } from '../snapshot/snapshot.ts';

/** A device takes part in a rollout if it showed life in this time before its first write. */
const TAKES_PART_MS = DAY_MS;
/** How long Berth waits after the deadline for the hub's answer whether the device is alive. */
const LAST_QUESTION_MS = 60 * 60_000;

/** The status of a policy in a rollout in stages, and what Berth does to find it out. */
export interface LifeStatus {
  readonly status: PolicyStatus;
  readonly nextAt?: EpochMs;
  /** When Berth asks the hub whether the device is alive. */
  readonly askAt?: EpochMs;
}

export interface SignsOfLife {
  readonly lifeAt: Snapshot['lifeAt'];
  /** What the hub answered. If it is never asked, the deadline alone decides. */
  readonly activity: Snapshot['activity'] | 'neverAsked';
}

/**
 * The status of a policy after its first write to a device, in a rollout in stages. Life is a report of the device, or
 * activity that the hub reports; an event of a write by a service is none. The hub is asked before a device is `lost`.
 *
 * @param status the worst status of the properties of the policy
 * @param deadlineMs how long the device may show no life
 */
export function lifeAfterWrite(
  status: PolicyStatus,
  { hash, leaves }: Pick<Policy, 'hash' | 'leaves'>,
  { lifeAt, activity }: SignsOfLife,
  paths: Readonly<Record<string, PathHistory>>,
  deadlineMs: number,
  now: EpochMs,
): LifeStatus {
  if (status !== 'pending' && status !== 'inSync') return { status };
  const first = firstWrite(
    leaves.map(({ key }) => historyAt(paths, key)),
    hash,
  );
  if (first === undefined || (lifeAt !== undefined && lifeAt > first.at)) return { status };
  const writtenAt = millisecondsOf(first.at);
  const lifeBefore = first.lifeAt === undefined ? undefined : millisecondsOf(first.lifeAt);
  if (lifeBefore === undefined || writtenAt - lifeBefore > TAKES_PART_MS) return { status: 'silent' };
  const deadline = plus(writtenAt, deadlineMs);
  if (activity === 'neverAsked')
    return now >= deadline ? { status: 'lost' } : { status: 'pending', nextAt: deadline };
  const giveUp = plus(deadline, LAST_QUESTION_MS);
  const isAsked = activity !== undefined && activity.askedAt >= deadline;
  if (now >= deadline && (isAsked || now >= giveUp)) return { status: 'lost' };
  if (now >= deadline) return { status: 'pending', askAt: now, nextAt: giveUp };
  const step = nextAnswerStep({ writtenAt: first.at, writes: 1, cooldownMs: 0, lifeAt, activity });
  return { status: 'pending', askAt: laterOf(now, earlierOf(step.at, deadline)) };
}

function firstWrite(
  histories: readonly PathHistory[],
  content: string,
): { readonly at: Instant; readonly lifeAt?: Instant | undefined } | undefined {
  return histories
    .flatMap(({ replaced }) => (replaced?.policy === content ? [replaced] : []))
    .reduce<{ readonly at: Instant; readonly lifeAt?: Instant | undefined } | undefined>(
      (first, write) => (first === undefined || write.at < first.at ? write : first),
      undefined,
    );
}
