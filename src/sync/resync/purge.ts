import * as z from 'zod';
import { BerthError } from '../../errors.ts';
import type { Stores } from '../../store/stores.ts';
import { DAY_MS, dayOf } from '../../time/day.ts';
import { EPOCH, type EpochMs, plus } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';

/** How long things are stored, in days. */
export interface StateRetention {
  readonly receiptDays: number;
  /** Also for the counts of events that are not stored. */
  readonly deadLetterDays: number;
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
  /** @throws BerthError `BERTH_SETTING_INVALID`: then nothing is removed */
  readonly retention: () => StateRetention;
}

/** What one run has deleted. */
export interface Purged {
  readonly receipts: number;
  readonly deadLetters: number;
}

const NAME = 'purge';
/** A pass over all receipts begins at most this often. With a page a minute, 1.4 million receipts a day are looked at. */
const PASS_EVERY_MS = 60 * 60_000;
/** Days of budgets that are removed, counted back from today. A stop of the app may leave older ones, which are tiny. */
const BUDGET_DAYS = [2, 3, 4];

const progressSchema = z.object({
  /** When the present pass over the receipts began, and where it continues. Without a place, it has ended. */
  startedAt: epochMsSchema.default(EPOCH),
  from: z.string().optional(),
});

/**
 * Deletes what is older than the retention. One run deletes at most one page of dead letters (1,000) and 200 receipts, and looks
 * at one page of receipts. Old counts are removed once an hour, at most some hundred rows.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function purgeOld(context: PurgeContext): Promise<Purged> {
  const { now, warn } = context;
  const found = retentionIn(context);
  if (found instanceof BerthError) {
    warn(found.message, { code: found.code });
    return { receipts: 0, deadLetters: 0 };
  }
  const lettersBefore = plus(now(), -found.deadLetterDays * DAY_MS);
  // A page each minute is sixty thousand letters in an hour. The limit allows fewer new ones.
  const deadLetters = await context.deadLetters.forget(lettersBefore);
  const receipts = await purgeReceipts(context, plus(now(), -found.receiptDays * DAY_MS), lettersBefore);
  return { receipts, deadLetters };
}

function retentionIn({ retention }: PurgeContext): StateRetention | BerthError {
  try {
    return retention();
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
}

/** One page. The first one of a pass also removes old counts. */
async function purgeReceipts(context: PurgeContext, before: EpochMs, countsBefore: EpochMs): Promise<number> {
  const { receipts, progress, now } = context;
  const stored = progressSchema.safeParse((await progress.read(NAME)) ?? {});
  const { startedAt, from } = stored.success ? stored.data : { startedAt: EPOCH, from: undefined };
  const isNew = from === undefined;
  if (isNew && now() - startedAt < PASS_EVERY_MS) return 0;
  if (isNew) await purgeCounts(context, countsBefore);
  const { deleted, next } = await receipts.forget(before, from);
  const since = isNew ? now() : startedAt;
  await progress.write(NAME, next === undefined ? { startedAt: since } : { startedAt: since, from: next });
  return deleted;
}

async function purgeCounts(context: PurgeContext, before: EpochMs): Promise<void> {
  const { letterHours, unknownHubs, unknownSources, statistics, budgets, now } = context;
  for (const counts of [letterHours, unknownHubs, unknownSources]) await counts.forget(before);
  await statistics.forget(now());
  for (const days of BUDGET_DAYS) await budgets.forget(dayOf(plus(now(), -days * DAY_MS)));
}
