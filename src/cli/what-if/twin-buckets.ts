import { BUCKET_NAMES } from '../../store/tables/keys.ts';
import { TwinTally } from '../../what-if/twin-tally.ts';
import type { TwinReader } from './twin-reader.ts';

/**
 * The most threads that read twins. Each reads one partition at a time, whose target is 2,000 entities of 1 KiB a second; an account has 20,000
 * ("Scalability and performance targets for Table storage"). The functions use the same tables at the same time.
 */
const MOST_READERS = 2;
/** Fewer twins than these are planned before another thread has started. */
const MANY_TWINS = 2_000;

/** The readers of a run. */
export interface TwinReaders {
  readonly here: TwinReader;
  /** How many threads the machine can run at the same time. */
  readonly number: number;
  /** Starts a reader in another thread. */
  readonly start: () => TwinReader;
}

/**
 * Reads and plans all stored twins. Each reader takes the next bucket when it is ready. The other thread starts only when there are
 * many twins.
 *
 * @param first the most patches and problems to keep for each policy
 * @param onTwins called with the number of twins that were planned so far
 * @throws the error of the first bucket that failed, in the order of the buckets, as if one reader had read them all
 */
export async function tryBuckets(
  { here, number, start }: TwinReaders,
  first: number,
  onTwins: (twins: number) => void,
): Promise<TwinTally> {
  const tally = new TwinTally(first);
  const others: TwinReader[] = [];
  const work: Promise<void>[] = [];
  let planned = 0;
  let next = 0;
  const failures: { readonly place: number; readonly error: unknown }[] = [];

  const onMore = (more: number): void => {
    planned += more;
    onTwins(planned);
    if (planned < MANY_TWINS) return;
    while (others.length + 1 < Math.min(number, MOST_READERS)) {
      const reader = start();
      others.push(reader);
      work.push(readWith(reader));
    }
  };
  const readWith = async (reader: TwinReader): Promise<void> => {
    while (failures.length === 0) {
      const place = next;
      const bucket = BUCKET_NAMES[place];
      if (bucket === undefined) return;
      next += 1;
      try {
        tally.merge(await reader.tryBucket(bucket, onMore));
      } catch (error) {
        failures.push({ place, error });
      }
    }
  };

  try {
    await readWith(here);
    await Promise.all(work);
  } finally {
    await Promise.all(others.map((reader) => reader.close()));
  }
  const [failure] = failures.sort((one, other) => one.place - other.place);
  if (failure !== undefined) throw failure.error;
  return tally;
}
