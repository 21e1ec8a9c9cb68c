import * as z from 'zod';
import { BerthError } from '../../errors.ts';
import type { Stores } from '../../store/stores.ts';
import { DAY_MS, dayOf } from '../../time/day.ts';
import { EPOCH, type EpochMs, plus } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';
import { unlessNewer } from './sparing.ts';

/** How long things are stored, in days. Each has its own setting, so that a wrong one stops only its own part of the purge. */
export interface StateRetention {
  /** @throws BerthError `BERTH_SETTING_INVALID` */
  readonly receiptDays: () => number;
  /** Also for the counts of events that are not stored. @throws BerthError `BERTH_SETTING_INVALID` */
  readonly deadLetterDays: () => number;
}

/** What a purge needs. */
export interface PurgeContext
  extends Pick<SyncContext, 'now' | 'warn'>,
    Pick<
      Stores,
      | 'receipts'
      | 'deadLetters'
      | 'letterHours'
      | 'unknownHubs'
      | 'unknownSources'
      | 'statistics'
      | 'budgets'
      | 'progress'
    > {
  readonly retention: StateRetention;
}

/** What one run has deleted. */
export interface Purged {
  readonly receipts: number;
  readonly deadLetters: number;
}

const RECEIPTS = 'purge';
const COUNTS = 'purge-counts';
/** A pass over all receipts begins at most this often. With a page a minute, 1.4 million receipts a day are looked at. */
const PASS_EVERY_MS = 60 * 60_000;
/** Old counts are removed this often, and again in the next run while there are more. */
const COUNTS_EVERY_MS = 60 * 60_000;
/** Today's budget and that of the day before are kept. */
const BUDGET_DAYS_KEPT = 1;

const receiptsSchema = z.object({
  /** When the present pass over the receipts began, and where it continues. Without a place, it has ended. */
  startedAt: epochMsSchema.default(EPOCH),
  from: z.string().optional(),
});
const countsSchema = z.object({
  /** When the last old counts were removed. */
  doneAt: epochMsSchema.default(EPOCH),
});

/**
 * Deletes what is older than the retention. One run deletes at most one page of dead letters (1,000) and 200 receipts, and looks
 * at one page of receipts. Once an hour it removes old counts, at most 1,000 rows of each kind in a run. A part that fails does not
 * stop the others.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`, after all parts were tried
 */
export async function purgeOld(context: PurgeContext): Promise<Purged> {
  const { deadLetters, retention, now } = context;
  const failures: unknown[] = [];
  const part: Part = async (skipped, work) => {
    try {
      return await unlessNewer(skipped, work);
    } catch (error) {
      failures.push(error);
      return skipped;
    }
  };
  const lettersBefore = () => plus(now(), -retention.deadLetterDays() * DAY_MS);
  const purged: Purged = {
    // A page each minute is sixty thousand letters in an hour. The limit allows fewer new ones.
    deadLetters: await part(0, async () => deadLetters.forget(lettersBefore())),
    receipts: await part(0, async () =>
      purgeReceipts(context, plus(now(), -retention.receiptDays() * DAY_MS)),
    ),
  };
  await part(undefined, () => purgeCounts(context, lettersBefore, part));
  report(failures, context);
  return purged;
}

/** Logs each wrong setting once. @throws the first other failure */
function report(failures: readonly unknown[], { warn }: Pick<PurgeContext, 'warn'>): void {
  const wrong = new Map<string, BerthError>();
  for (const failure of failures) if (isSettingProblem(failure)) wrong.set(failure.message, failure);
  for (const { message, code } of wrong.values()) warn(message, { code });
  const other = failures.find((failure) => !isSettingProblem(failure));
  if (other !== undefined) throw other;
}

function isSettingProblem(error: unknown): error is BerthError {
  return error instanceof BerthError && error.code === 'BERTH_SETTING_INVALID';
}

/** One page. */
async function purgeReceipts(
  { receipts, progress, now }: Pick<PurgeContext, 'receipts' | 'progress' | 'now'>,
  before: EpochMs,
): Promise<number> {
  const stored = receiptsSchema.safeParse((await progress.read(RECEIPTS)) ?? {});
  const { startedAt, from } = stored.success ? stored.data : { startedAt: EPOCH, from: undefined };
  const isNew = from === undefined;
  if (isNew && now() - startedAt < PASS_EVERY_MS) return 0;
  const { deleted, next } = await receipts.forget(before, from);
  const since = isNew ? now() : startedAt;
  await progress.write(
    RECEIPTS,
    next === undefined ? { startedAt: since } : { startedAt: since, from: next },
  );
  return deleted;
}

/** Does a part of the purge. Returns `skipped` if it fails. */
type Part = <Result>(skipped: Result, work: () => Promise<Result>) => Promise<Result>;

/** Old counts of every kind, each as a part of its own. */
async function purgeCounts(context: PurgeContext, lettersBefore: () => EpochMs, part: Part): Promise<void> {
  const { letterHours, unknownHubs, unknownSources, statistics, budgets, progress, now } = context;
  const stored = countsSchema.safeParse((await progress.read(COUNTS)) ?? {});
  if (stored.success && now() - stored.data.doneAt < COUNTS_EVERY_MS) return;
  const kinds: readonly (() => Promise<boolean>)[] = [
    () => statistics.forget(now()),
    () => budgets.forget(dayOf(plus(now(), -BUDGET_DAYS_KEPT * DAY_MS))),
    async () => letterHours.forget(lettersBefore()),
    async () => unknownHubs.forget(lettersBefore()),
    async () => unknownSources.forget(lettersBefore()),
  ];
  let isMore = false;
  for (const forget of kinds) isMore = (await part(false, forget)) || isMore;
  if (!isMore) await progress.write(COUNTS, { doneAt: now() });
}
