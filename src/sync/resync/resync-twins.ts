import pLimit from 'p-limit';
import * as z from 'zod';
import { type PartitionKey, partitionsOf } from '../../store/tables/keys.ts';
import { isNewer } from '../../store/twins/twin-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import { allEnded } from './all-ended.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
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
  /** The index of the present partition in `inTurn`. */
  place: z.number(),
  /** The last row of this partition that is done. Empty: none. */
  after: z.string(),
  /** When the last partition was done. */
  doneAt: epochMsSchema.optional(),
});
type Progress = Omit<z.output<typeof progressSchema>, 'doneAt'> & { readonly doneAt?: EpochMs };

/**
 * Reconciles every twin again after a new fleet revision, or after a policy was resumed. The twins have not changed, so no
 * event would cause it. It calls no hub: twins that must be written get a work item. Continues where the last run stopped.
 */
export async function resyncTwins(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { fleet, twins, gate, progress, reconciler, now } = context;
  // The generation of the gate that is used for the twins, because the row may be newer.
  const { generation } = await gate.current();
  if (generation === undefined || now() - generation.since < SETTLED_MS) return 0;
  const about = aboutOf(fleet.revision, generation.number);
  const stored = progressSchema.safeParse(await progress.read('resync'));
  let at: Progress =
    stored.success && stored.data.about === about
      ? { about, place: stored.data.place, after: stored.data.after }
      : { about, place: 0, after: '' };
  const partitions = inTurn(context);
  const limit = pLimit(CONCURRENCY);
  let resynced = 0;
  while (at.place < partitions.length && mayGoOn()) {
    const partition = partitions[at.place];
    if (partition === undefined) break;
    const page = await twins.page(partition, at.after === '' ? undefined : at.after, PAGE);
    await allEnded(
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
        : { about, place: at.place + 1, after: '' };
    const isDone = at.place >= partitions.length;
    if (isDone) at = { ...at, doneAt: now() };
    // Of a partition without twins, there is no progress to lose.
    if (isDone || page.length > 0) await progress.write('resync', { ...at });
  }
  // An older package did not store when it was done.
  const isDone = at.place >= partitions.length;
  const isStored = stored.success && stored.data.about === about && stored.data.doneAt !== undefined;
  if (isDone && !isStored && at.doneAt === undefined)
    await progress.write('resync', { ...at, doneAt: now() });
  return resynced;
}

/**
 * When every twin was planned with the present fleet file and this generation of the control row. Undefined: not yet.
 */
export async function resyncedAt(
  { fleet, progress }: Pick<ResyncContext, 'fleet' | 'progress'>,
  generation: number,
): Promise<EpochMs | undefined> {
  const stored = progressSchema.safeParse(await progress.read('resync'));
  const isPresent = stored.success && stored.data.about === aboutOf(fleet.revision, generation);
  return isPresent ? stored.data.doneAt : undefined;
}

/** The partitions, hub by hub in turn, so that twins of all hubs can be written before the last twin is planned. */
function inTurn({ hosts }: Pick<ResyncContext, 'hosts'>): readonly PartitionKey[] {
  const ofHosts = hosts.map((host) => partitionsOf(host));
  return (ofHosts[0] ?? []).flatMap((_, index) => ofHosts.flatMap((of) => of[index] ?? []));
}

function aboutOf(revision: string, generation: number): string {
  return `${revision} ${generation}`;
}
