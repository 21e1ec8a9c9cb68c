import type { Bucket } from '../../store/tables/keys.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import { type TwinTrial, tryTwin } from '../../what-if/try-twin.ts';
import { type TwinCounts, TwinTally } from '../../what-if/twin-tally.ts';

/** Reads and plans stored twins, the twins of one bucket at a time. */
export interface TwinReader {
  /**
   * @param onTwins called with the number of further twins that were planned
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
   */
  tryBucket(bucket: Bucket, onTwins: (more: number) => void): Promise<TwinCounts>;
  /** Ends the reader, also while it reads. */
  close(): Promise<void>;
}

/** Twins between two messages about progress. */
const STEP = 500;

/**
 * A reader in the present thread.
 *
 * @param first the most patches and problems to keep for each policy
 */
export function readerHere(twins: TwinStore, trial: TwinTrial, first: number): TwinReader {
  return {
    async tryBucket(bucket, onTwins) {
      const tally = new TwinTally(first);
      for await (const { id, known } of twins.records(bucket)) {
        tally.add(id, tryTwin(id, known, trial));
        if (tally.twins % STEP === 0) onTwins(STEP);
      }
      onTwins(tally.twins % STEP);
      return tally.counts();
    },
    close: async () => {},
  };
}
