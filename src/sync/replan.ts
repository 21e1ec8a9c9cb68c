import pLimit from 'p-limit';
import * as z from 'zod';
import { type MayGoOn, partitionsFor, type ResyncOptions } from './resync-options.ts';

const PAGE = 200;
/**
 * By then every instance has read the control row (30 s), and is through with the batch that it had begun before (20 s).
 * Until then one of them may still judge as things were, and would be the last to do so.
 */
const SETTLED_MS = 60_000;
const CONCURRENCY = 32;

const progressSchema = z.object({
  /** Which policies and pauses it is about. */
  about: z.string(),
  /** The partition that it has come to. */
  partition: z.number(),
  /** The last row of it that was judged; empty: none. */
  after: z.string(),
});
type Progress = z.output<typeof progressSchema>;

/**
 * Judges every twin anew after a new fleet revision, or after a policy was resumed: nothing about the twins has
 * changed, so no event would. Reads no hub; what must be written is due. Goes on where the last run stopped.
 */
export async function replan(
  options: Pick<ResyncOptions, 'fleet' | 'hosts' | 'twins' | 'control' | 'progress' | 'reconciler' | 'now'>,
  mayGoOn: MayGoOn,
): Promise<number> {
  const { fleet, twins, control, progress, reconciler, now } = options;
  const { generation, changedAt } = await control.read();
  if (now() - changedAt < SETTLED_MS) return 0;
  const about = `${fleet.revision} ${generation}`;
  const stored = progressSchema.safeParse(await progress.read('replan'));
  let at: Progress =
    stored.success && stored.data.about === about ? stored.data : { about, partition: 0, after: '' };
  const partitions = partitionsFor(options);
  const limit = pLimit(CONCURRENCY);
  let judged = 0;
  while (at.partition < partitions.length && mayGoOn()) {
    const partition = partitions[at.partition];
    if (partition === undefined) break;
    const page = await twins.page(partition, at.after === '' ? undefined : at.after, PAGE);
    await Promise.all(
      page.map((record) =>
        limit(async () => {
          if (record.known.kind !== 'shadow') return;
          await reconciler.judge(record.id, record);
          judged += 1;
        }),
      ),
    );
    const last = page.at(-1);
    at =
      page.length === PAGE && last !== undefined
        ? { ...at, after: last.rowKey }
        : { about, partition: at.partition + 1, after: '' };
    await progress.write('replan', at);
  }
  return judged;
}
