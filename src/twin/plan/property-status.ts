import type { Comparison } from '../../fleet/comparison.ts';
import type { Policy } from '../../fleet/fleet.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import { type EpochMs, earlierOf, plus } from '../../time/epoch-ms.ts';
import { instantOf, latest, millisecondsOf, NEVER } from '../../time/instant.ts';
import type { PropertyReport } from '../answers/acknowledgement.ts';
import { answersWrite, nextAnswerStep, waitAfterWrite } from '../answers/answer.ts';
import { sameValue } from '../answers/compare.ts';
import { differenceOf } from '../answers/difference.ts';
import { recordRejection } from '../events/history.ts';
import type { PathHistory, Rejection, Snapshot, WriteRecord } from '../snapshot/snapshot.ts';

/** The status of one owned property. */
export type PropertyStatus = 'inSync' | 'pending' | 'drifted' | 'rejected' | 'contested';

export interface LeafFacts {
  readonly policy: Pick<
    Policy,
    | 'name'
    | 'hash'
    | 'mode'
    | 'tolerance'
    | 'cooldownMs'
    | 'attempts'
    | 'deadlineMs'
    | 'confirm'
    | 'acknowledgement'
  >;
  /** The wanted value. `null`: the property must be absent. */
  readonly wanted: JsonValue;
  readonly desired: JsonValue | undefined;
  readonly report: PropertyReport | undefined;
  /** How the reported and desired values are compared with `wanted`. `tolerance` applies to the reported value only. */
  readonly compare: Comparison;
  readonly history: PathHistory;
  /** `desired.$version` of the twin. */
  readonly desiredVersion: number;
  /** What is known about the life of the device. */
  readonly life: Pick<Snapshot, 'lifeAt' | 'activity'>;
  readonly fight: { readonly writes: number; readonly withinMs: number; readonly pauseMs: number };
  readonly now: EpochMs;
}

export interface LeafStatus {
  readonly status: PropertyStatus;
  readonly why: string;
  /** The value must be written now. */
  readonly write: boolean;
  /** When the twin must be reconciled again, even without an event. */
  readonly nextAt?: EpochMs;
  /** When Berth must ask the hub whether the device is alive. */
  readonly askAt?: EpochMs;
  readonly history: PathHistory;
}

/** The status of one owned property, by the mode of its policy. */
export function leafStatus(facts: LeafFacts): LeafStatus {
  switch (facts.policy.mode) {
    case 'seed':
      return seedStatus(facts);
    case 'adopt':
      return adoptedStatus(facts);
    // The status is the same for both. The plan holds the write of `observe`.
    case 'observe':
    case 'enforce':
      return enforcedStatus(facts);
  }
}

/** Set once if it is absent. Then Berth leaves it alone, even if another writer removes it. */
function seedStatus(facts: LeafFacts): LeafStatus {
  const { desired, history, policy } = facts;
  if (desired !== undefined) return settled(history, 'is set already, and the policy sets it only once');
  if (history.writes.some(({ by }) => by === policy.name)) {
    return settled(history, 'was set once by the policy, and another writer has removed it');
  }
  return rejectionOf(facts) ?? driftStatus(facts, history);
}

/** The device decides: `wanted` is its reported value. */
function adoptedStatus(facts: LeafFacts): LeafStatus {
  const { wanted, desired, history, policy, compare } = facts;
  if (sameValue(desired ?? null, wanted, compare, policy.tolerance)) {
    return settled(history, 'is what the device reports');
  }
  return rejectionOf(facts) ?? driftStatus(facts, history);
}

/** Desired must have this value, and the device must report it. The first condition that is true decides. */
function enforcedStatus(facts: LeafFacts): LeafStatus {
  const { wanted, desired, report, policy, compare, desiredVersion, now } = facts;
  const equal = isEqual(facts);
  // A report with the value and a code of refusal does not end the rejection.
  const isTaken = equal && (report?.code === undefined || isSuccess(report.code));
  const history = isTaken ? withoutRejection(facts) : facts.history;
  const known = rejectionOf({ ...facts, history });
  if (known !== undefined) return known;
  if (!sameValue(desired ?? null, wanted, compare)) return driftStatus(facts, history);
  if (wanted === null) return settled(history, 'is absent, as wanted');
  if (report === undefined) {
    return policy.confirm
      ? unanswered(facts, history, 'has not been reported yet')
      : settled(history, 'needs no report');
  }
  const { code, version } = report;
  const isOld = version !== undefined && version < history.ours;
  if (equal && (code === undefined || isOld || isSuccess(code))) {
    return settled(history, 'is reported as wanted');
  }
  if (isOld) {
    return unanswered(
      facts,
      history,
      `the device has answered version ${version}, and not yet version ${history.ours}`,
    );
  }
  if (version !== undefined && version > desiredVersion) {
    return unanswered(facts, history, `the device answered version ${version}, which this twin never had`);
  }
  if (version === undefined) {
    const counted = answersWrite(report, history, now);
    if (!counted.counts) {
      const waiting = unanswered(facts, history, NO_ANSWER);
      const { at } = counted;
      if (at === undefined || waiting.write) return waiting;
      return { ...waiting, nextAt: earlierOf(at, waiting.nextAt ?? at) };
    }
  }
  if (code === 202) {
    // A 202 that was reported before the write is about an earlier value, so the write starts the deadline again.
    const began = latest(history.changedAt ?? history.reportedAt ?? instantOf(now), history.oursAt ?? NEVER);
    const until = plus(millisecondsOf(began), policy.deadlineMs);
    return now >= until
      ? rejected(facts, history, 'the device answered 202 and did not finish before the deadline')
      : { ...pending(history, 'the device answered 202: in progress'), nextAt: until };
  }
  if (code !== undefined && code >= 400 && code < 500) {
    return rejected(facts, history, `the device answered ${code}${report.description}`);
  }
  if (isSuccess(code) && version !== undefined) {
    return rejected(facts, history, `the device answered ${code} with another value${differenceText(facts)}`);
  }
  if (code !== undefined && code >= 500) {
    return writeAgain(facts, history, `the device answered ${code}${report.description}`);
  }
  // Without a version, the answer may be about an earlier value, so it is not a rejection.
  if (code === undefined || isSuccess(code)) {
    const difference = differenceOf(facts);
    const problem = difference === undefined ? 'another value' : difference.values;
    return writeAgain(facts, history, `the device reports ${problem}`, difference?.remedy);
  }
  return unanswered(facts, history, NO_ANSWER);
}

const NO_ANSWER = 'the device has not answered yet';

/**
 * Whether the report says that the device has the wanted value. An acknowledgement may leave out a value that the device
 * accepted unchanged. Then its version, or its time, must not be older than the write.
 */
function isEqual({ report, wanted, compare, policy, history, desiredVersion }: LeafFacts): boolean {
  if (report === undefined || wanted === null) return false;
  const { value, code, version } = report;
  if (value !== undefined) return sameValue(value, wanted, compare, policy.tolerance);
  if (!isSuccess(code)) return false;
  const { reportedAt, ours, oursAt } = history;
  if (version !== undefined) return version >= ours && version <= desiredVersion;
  return code !== 203 && (oursAt === undefined || (reportedAt !== undefined && reportedAt >= oursAt));
}

/** Whether a code is a success. 202 means that the device has not finished, so it is not. */
function isSuccess(code: number | undefined): boolean {
  return code !== undefined && code >= 200 && code < 300 && code !== 202;
}

function differenceText(facts: LeafFacts): string {
  const difference = differenceOf(facts);
  return difference === undefined ? '' : `: it reports ${difference.values}; ${difference.remedy}`;
}

function settled(history: PathHistory, why: string): LeafStatus {
  return { status: 'inSync', why, write: false, history };
}

function pending(history: PathHistory, why: string): LeafStatus {
  return { status: 'pending', why, write: false, history };
}

function rejected({ policy, wanted }: LeafFacts, history: PathHistory, why: string): LeafStatus {
  return {
    status: 'rejected',
    why,
    write: false,
    history: recordRejection(history, { policy: policy.hash, value: wanted, why }),
  };
}

/** The status of a value that was rejected before. It is not written again until the policy or the value changes. */
function rejectionOf({ policy, wanted, history }: LeafFacts): LeafStatus | undefined {
  if (history.rejected.length === 0) return undefined;
  const found = history.rejected.find(
    (rejection) => rejection.policy === policy.hash && sameJson(rejection.value, wanted),
  );
  return found === undefined ? undefined : { status: 'rejected', why: found.why, write: false, history };
}

/** Removes rejections by the device, because it reports the value now. */
function withoutRejection({ history, wanted }: LeafFacts): PathHistory {
  if (history.rejected.length === 0) return history;
  const isLifted = ({ value, isByHub }: Rejection) => isByHub !== true && sameJson(value, wanted);
  return { ...history, rejected: history.rejected.filter((rejection) => !isLifted(rejection)) };
}

/**
 * Desired differs from the policy. Berth writes it, unless the property is contested or the cooldown is not over.
 */
function driftStatus(facts: LeafFacts, history: PathHistory): LeafStatus {
  const { fight, now } = facts;
  const until = history.contestedUntil ?? contestedEnd(history, fight, now);
  if (until !== undefined && now < until) return contested({ ...history, contestedUntil: until }, until);
  // After the pause of a contested property, only new changes by other writers count.
  const calm: PathHistory =
    until === undefined
      ? history
      : { ...history, contestedUntil: undefined, foreign: [], configuration: undefined };
  const wait = cooldownEnd(facts, calm);
  return wait !== undefined && now < wait
    ? {
        status: 'drifted',
        why: 'is not what the policy wants; the cooldown after the last write is not over',
        write: false,
        nextAt: wait,
        history: calm,
      }
    : { status: 'drifted', why: 'is not what the policy wants', write: true, history: calm };
}

/** Until when Berth leaves a contested property alone. Undefined: it is not contested. */
function contestedEnd(
  { configuration, foreign }: PathHistory,
  { writes, withinMs, pauseMs }: LeafFacts['fight'],
  now: EpochMs,
): EpochMs | undefined {
  if (configuration !== undefined) return plus(now, pauseMs);
  const since = instantOf(plus(now, -withinMs));
  const changes = foreign.filter((time) => time >= since);
  return changes[0] !== undefined && changes.length > writes
    ? plus(millisecondsOf(changes[0]), pauseMs)
    : undefined;
}

function contested(history: PathHistory, until: EpochMs): LeafStatus {
  const { configuration, foreign } = history;
  const why =
    configuration === undefined
      ? `another writer keeps changing it (${foreign.length} times recently)`
      : `the hub configuration ${JSON.stringify(configuration)} sets it`;
  return { status: 'contested', why, write: false, nextAt: until, history };
}

/** The device failed or chose another value: Berth writes the value again, later each time, at most `attempts` times. */
function writeAgain(facts: LeafFacts, history: PathHistory, problem: string, remedy?: string): LeafStatus {
  const { policy, now } = facts;
  const advice = remedy === undefined ? '' : `; ${remedy}`;
  const last = lastWrite(facts, history);
  if (last !== undefined && last.count >= policy.attempts) {
    return rejected(facts, history, `${problem}; Berth wrote it ${timesText(last.count)}${advice}`);
  }
  const wait =
    last === undefined ? now : plus(millisecondsOf(last.at), waitAfterWrite(last.count, policy.cooldownMs));
  if (now < wait) return { ...pending(history, `${problem}${advice}`), nextAt: wait };
  return { ...pending(history, `${problem}; Berth writes it again${advice}`), write: true };
}

/**
 * The device has not answered. If it is alive, it may have missed the write: Berth writes the value again, at most `attempts`
 * times, and then reports it as rejected. A device that shows no life reads its whole twin when it connects. This rejection is
 * not stored in the history, so the next answer or the next change of desired counts as usual.
 */
function unanswered(facts: LeafFacts, history: PathHistory, problem: string): LeafStatus {
  const { policy, life, now } = facts;
  // An observed property is never written, so the hub need not be asked for it.
  if (history.oursAt === undefined || policy.mode === 'observe') return pending(history, problem);
  const writes = lastWrite(facts, history)?.count ?? 0;
  const { kind, at } = nextAnswerStep({
    writtenAt: history.oursAt,
    writes,
    cooldownMs: policy.cooldownMs,
    ...life,
  });
  if (kind === 'ask') return { ...pending(history, problem), askAt: at };
  if (now < at) return { ...pending(history, problem), nextAt: at };
  if (writes < policy.attempts) {
    return { ...pending(history, `${problem}; the device is alive, and Berth writes it again`), write: true };
  }
  const why = `${problem}; Berth wrote it ${timesText(writes)}; the device is alive and does not answer`;
  return { status: 'rejected', why, write: false, history };
}

function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** Berth's last write of the wanted value. */
function lastWrite({ policy, wanted }: LeafFacts, { writes }: PathHistory): WriteRecord | undefined {
  return writes.find((write) => write.policy === policy.hash && sameJson(write.value, wanted));
}

/** The cooldown starts with the last write of the value; with the mode `adopt`, of any value. */
function cooldownEnd({ policy, wanted }: LeafFacts, { writes }: PathHistory): EpochMs | undefined {
  const last = writes.find(
    (write) => write.policy === policy.hash && (policy.mode === 'adopt' || sameJson(write.value, wanted)),
  );
  return last === undefined ? undefined : plus(millisecondsOf(last.at), policy.cooldownMs);
}
