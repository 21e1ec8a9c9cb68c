import pLimit from 'p-limit';
import * as z from 'zod';
import { isNewer } from '../../store/twins/twin-store.ts';
import { type MayGoOn, partitionsFor, type ResyncContext } from './resync-context.ts';
import { sparing } from './sparing.ts';

const PAGE = 200;
const CONCURRENCY = 32;
/**
 * Other instances may use a control row that is 30 s old, in batches that take 20 s. Before this time is over, they could
 * hold the same correction again, or use the policies of an older package.
 */
const SETTLED_MS = 60_000;

const progressSchema = z.object({
  /** The fleet revision and the generation of the control row. */
  about: z.string(),
  /** The index of the present partition. */
  partition: z.number(),
  /** The last row of this partition that is done. Empty: none. */
  after: z.string(),
});
type Progress = z.output<typeof progressSchema>;

/**
 * Reconciles every twin again after a new fleet revision, or after a policy was resumed. The twins have not changed, so no
 * event would cause it. It calls no hub: twins that must be written get a work item. Continues where the last run stopped.
 */
export async function resyncTwins(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { fleet, twins, gate, progress, reconciler, now } = context;
  // The generation of the gate that is used for the twins, because the row may be newer.
  const { generation } = await gate.current();
  if (generation === undefined || now() - generation.since < SETTLED_MS) return 0;
  const about = `${fleet.revision} ${generation.number}`;
  const stored = progressSchema.safeParse(await progress.read('resync'));
  let at: Progress =
    stored.success && stored.data.about === about ? stored.data : { about, partition: 0, after: '' };
  const partitions = partitionsFor(context);
  const limit = pLimit(CONCURRENCY);
  let resynced = 0;
  while (at.partition < partitions.length && mayGoOn()) {
    const partition = partitions[at.partition];
    if (partition === undefined) break;
    const page = await twins.page(partition, at.after === '' ? undefined : at.after, PAGE);
    await Promise.all(
      page.map((record) =>
        limit(async () => {
          // A newer package handles the twins that it has stored.
          if (isNewer(record) || record.known.kind !== 'snapshot') return;
          await sparing(record.id, context, () => reconciler.resync(record.id, record));
          resynced += 1;
        }),
      ),
    );
    const last = page.at(-1);
    at =
      page.length === PAGE && last !== undefined
        ? { ...at, after: last.rowKey }
        : { about, partition: at.partition + 1, after: '' };
    await progress.write('resync', at);
  }
  return resynced;
}
