import type { Policy } from '../fleet/fleet.ts';
import { isObject, type JsonValue, sameJson } from '../json.ts';
import { instantOf, millisecondsOf } from './instant.ts';
import type { PathHistory } from './shadow.ts';

/** How one owned property stands. */
export type Verdict = 'inSync' | 'pending' | 'drifted' | 'rejected' | 'fighting';

export interface LeafFacts {
  readonly policy: Pick<Policy, 'hash' | 'tolerance' | 'cooldownMs' | 'attempts' | 'deadlineMs' | 'confirm'>;
  /** What the policy wants; `null`: the property must be absent. */
  readonly wanted: JsonValue;
  readonly desired: JsonValue | undefined;
  readonly report: JsonValue | undefined;
  readonly history: PathHistory;
  /** `desired.$version` of the twin. */
  readonly desiredVersion: number;
  readonly fight: { readonly writes: number; readonly withinMs: number; readonly pauseMs: number };
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface LeafVerdict {
  readonly verdict: Verdict;
  readonly why: string;
  /** The value is to be written now. */
  readonly write: boolean;
  /** When this must be looked at again even if nothing happens, ms since the epoch. */
  readonly nextAt?: number;
  readonly history: PathHistory;
}

/**
 * Judges one owned leaf; the first row of the table that fits wins. A report is an acknowledgement in the
 * Plug and Play form `{value, ac, av, ad}` (concepts-convention, 2025-01) or a plain echo of the value.
 */
export function judgeLeaf(facts: LeafFacts): LeafVerdict {
  const { wanted, desired, policy, desiredVersion, now } = facts;
  const report = readReport(facts.report);
  const equal = report !== undefined && wanted !== null && sameWithin(report.value, wanted, policy.tolerance);
  const history = equal ? { ...facts.history, rejected: undefined } : facts.history;
  const verdict = (name: Verdict, why: string, more: Partial<LeafVerdict> = {}): LeafVerdict => ({
    verdict: name,
    why,
    write: false,
    history,
    ...more,
  });
  const rejected = (why: string): LeafVerdict =>
    verdict('rejected', why, {
      history: { ...history, rejected: { policy: policy.hash, value: wanted, why } },
    });

  if (history.rejected?.policy === policy.hash && sameJson(history.rejected.value, wanted)) {
    return verdict('rejected', history.rejected.why);
  }
  if (!sameJson(desired ?? null, wanted)) return judgeDrift(facts, history, verdict);
  if (wanted === null) return verdict('inSync', 'is absent, as wanted');
  if (report === undefined) {
    return policy.confirm
      ? verdict('pending', 'has not been reported yet')
      : verdict('inSync', 'needs no report');
  }
  const { code, version } = report;
  const isOld = version !== undefined && version < history.ours;
  if (equal && (code === undefined || isOld || code === 200 || code === 203)) {
    return verdict('inSync', 'is reported as wanted');
  }
  if (isOld) return verdict('pending', `the device has answered version ${version}, not ${history.ours} yet`);
  if (version !== undefined && version > desiredVersion) {
    return verdict('pending', `the answer is to version ${version}, which this twin never had`);
  }
  if (code === 202) {
    const until = millisecondsOf(history.reportedAt ?? instantOf(now)) + policy.deadlineMs;
    return now >= until
      ? rejected('the device answered 202 and did not finish before the deadline')
      : verdict('pending', 'the device answered 202: in progress', { nextAt: until });
  }
  if (code !== undefined && code >= 400 && code < 500) {
    return rejected(`the device answered ${code}${report.description}`);
  }
  if (code === 200) return rejected('the device answered 200 with another value');
  const failed = code !== undefined && code >= 500;
  const ownWrite = history.writes[0];
  const echoedOtherwise =
    code === undefined &&
    ownWrite !== undefined &&
    history.reportedAt !== undefined &&
    history.reportedAt > ownWrite.at;
  if (failed || echoedOtherwise) {
    const problem = failed
      ? `the device answered ${code}${report.description}`
      : 'the device reports another value';
    return tellAgain(facts, history, verdict, rejected, problem);
  }
  return verdict('pending', 'the device has not answered yet');
}

type Make = (name: Verdict, why: string, more?: Partial<LeafVerdict>) => LeafVerdict;

/**
 * Desired is not what the policy wants: written, unless another writer fights over it or the cooldown has not
 * passed.
 */
function judgeDrift(
  { policy, wanted, fight, now }: LeafFacts,
  history: PathHistory,
  verdict: Make,
): LeafVerdict {
  if (history.fightUntil !== undefined && now < history.fightUntil) {
    return verdict('fighting', FIGHT, { nextAt: history.fightUntil });
  }
  // After a fight's pause it is tried again, and only what others do from then on counts.
  const calm =
    history.fightUntil === undefined ? history : { ...history, fightUntil: undefined, foreign: [] };
  const since = instantOf(now - fight.withinMs);
  const changes = calm.foreign.filter((time) => time >= since);
  if (changes[0] !== undefined && changes.length > fight.writes) {
    const until = millisecondsOf(changes[0]) + fight.pauseMs;
    return verdict('fighting', FIGHT, { nextAt: until, history: { ...calm, fightUntil: until } });
  }
  const wait = cooldownEnd(policy, wanted, calm);
  return wait !== undefined && now < wait
    ? verdict('drifted', 'was written too recently', { nextAt: wait, history: calm })
    : verdict('drifted', 'is not what the policy wants', { write: true, history: calm });
}

const FIGHT = 'another writer keeps changing it';

/** The device failed or chose otherwise: the same value is told again, so often and no more. */
function tellAgain(
  { policy, wanted, now }: LeafFacts,
  history: PathHistory,
  verdict: Make,
  rejected: (why: string) => LeafVerdict,
  problem: string,
): LeafVerdict {
  const told = history.writes.find((write) => write.policy === policy.hash && sameJson(write.value, wanted));
  if (told !== undefined && told.count >= policy.attempts) {
    return rejected(`${problem}, and was told ${told.count} times`);
  }
  const wait = cooldownEnd(policy, wanted, history);
  if (wait !== undefined && now < wait) return verdict('pending', problem, { nextAt: wait });
  return verdict('pending', `${problem}: told again`, { write: true });
}

function cooldownEnd(
  policy: LeafFacts['policy'],
  wanted: JsonValue,
  history: PathHistory,
): number | undefined {
  const last = history.writes.find((write) => write.policy === policy.hash && sameJson(write.value, wanted));
  return last === undefined ? undefined : millisecondsOf(last.at) + policy.cooldownMs;
}

interface Report {
  readonly value: JsonValue;
  readonly code: number | undefined;
  readonly version: number | undefined;
  readonly description: string;
}

/**
 * Documentation samples leave out `av` or `ad`, so only `value` and a numeric `ac` make an acknowledgement.
 */
function readReport(report: JsonValue | undefined): Report | undefined {
  if (report === undefined) return undefined;
  if (!isObject(report) || typeof report.ac !== 'number' || report.value === undefined) {
    return { value: report, code: undefined, version: undefined, description: '' };
  }
  return {
    value: report.value,
    code: report.ac,
    version: typeof report.av === 'number' ? report.av : undefined,
    description: typeof report.ad === 'string' ? `: ${report.ad.slice(0, 100)}` : '',
  };
}

function sameWithin(left: JsonValue, right: JsonValue, tolerance: number): boolean {
  if (typeof left === 'number' && typeof right === 'number') return Math.abs(left - right) <= tolerance;
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length &&
      left.every((item, index) => sameWithin(item, right[index] ?? null, tolerance))
    );
  }
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every(
        (key) => Object.hasOwn(right, key) && sameWithin(left[key] ?? null, right[key] ?? null, tolerance),
      )
    );
  }
  return left === right;
}
