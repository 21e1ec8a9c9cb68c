import pLimit from 'p-limit';
import * as z from 'zod';
import { isNewer } from '../../store/twins/twin-store.ts';
import { type MayGoOn, partitionsFor, type ResyncContext } from './resync-context.ts';
import { sparing } from './sparing.ts';

const PAGE = 200;
const CONCURRENCY = 32;
/**
 * Other instances may go by a control row that is 30 s old, in batches that take 20 s: what is found due before that
 * time is over, they would take for held again, or judge by the policies of an older package.
 */
const SETTLED_MS = 60_000;

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
export async function replan(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { fleet, twins, gate, progress, reconciler, now } = context;
  // The gate's, by which the twins are judged, and not a newer one's.
  const { generation } = await gate.current();
  if (generation === undefined || now() - generation.since < SETTLED_MS) return 0;
  const about = `${fleet.revision} ${generation.number}`;
  const stored = progressSchema.safeParse(await progress.read('replan'));
  let at: Progress =
    stored.success && stored.data.about === about ? stored.data : { about, partition: 0, after: '' };
  const partitions = partitionsFor(context);
  const limit = pLimit(CONCURRENCY);
  let judged = 0;
  while (at.partition < partitions.length && mayGoOn()) {
    const partition = partitions[at.partition];
    if (partition === undefined) break;
    const page = await twins.page(partition, at.after === '' ? undefined : at.after, PAGE);
    await Promise.all(
      page.map((record) =>
        limit(async () => {
          // A newer package plans what it has stored itself.
          if (isNewer(record) || record.known.kind !== 'shadow') return;
          await sparing(record.id, context, () => reconciler.judge(record.id, record));
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
