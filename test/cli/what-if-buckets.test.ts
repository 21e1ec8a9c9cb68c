import { describe, expect, test } from '@jest/globals';
import { tryBuckets } from '../../src/cli/what-if/twin-buckets.ts';
import type { TwinReader } from '../../src/cli/what-if/twin-reader.ts';
import { BerthError } from '../../src/errors.ts';
import { BUCKET_NAMES, type Bucket } from '../../src/store/tables/keys.ts';
import { TwinTally } from '../../src/what-if/twin-tally.ts';

const noCounts = () => new TwinTally(0).counts();

/** A reader that reads each bucket with the same number of twins, and waits for the next turn of the event loop in each. */
function reader(
  name: string,
  log: string[],
  { twins = 0, fails }: { readonly twins?: number; readonly fails?: (bucket: Bucket) => Promise<void> } = {},
): TwinReader {
  return {
    async tryBucket(bucket, onTwins) {
      log.push(`${name} ${bucket}`);
      onTwins(twins);
      await new Promise(setImmediate);
      await fails?.(bucket);
      return { ...noCounts(), twins };
    },
    async close() {
      log.push(`${name} closed`);
    },
  };
}

const refused = (bucket: string) => new BerthError('BERTH_STORE_UNAVAILABLE', `bucket ${bucket}`);

describe('the readers of stored twins', () => {
  test('read each bucket once, and all twins are counted', async () => {
    const log: string[] = [];
    const shown: number[] = [];
    const readers = {
      here: reader('here', log, { twins: 2_000 }),
      number: 2,
      start: () => reader('other', log, { twins: 2_000 }),
    };

    const tally = await tryBuckets(readers, 5, (twins) => shown.push(twins));

    const read = log.filter((line) => !line.endsWith('closed'));
    expect(read.map((line) => line.split(' ')[1]).sort()).toEqual(BUCKET_NAMES);
    expect(read.filter((line) => line.startsWith('other')).length).toBeGreaterThan(4);
    expect(tally.twins).toBe(32_000);
    expect(shown.at(-1)).toBe(32_000);
    expect(log.at(-1)).toBe('other closed');
  });

  test.each([
    ['one core', 1, 5_000, 0],
    ['two cores', 2, 5_000, 1],
    ['many cores, because Azure limits the rows of an account', 32, 5_000, 1],
    ['few twins', 32, 100, 0],
  ])('start as many threads as useful with %s', async (_, number, twins, started) => {
    const log: string[] = [];
    const names: string[] = [];
    const start = () => {
      names.push('other');
      return reader('other', log, { twins });
    };

    await tryBuckets({ here: reader('here', log, { twins }), number, start }, 5, () => {});

    expect(names).toHaveLength(started);
  });

  test('end with the error of the first bucket that failed, as one reader would', async () => {
    const log: string[] = [];
    const gate: { open: () => void } = { open: () => {} };
    const opened = new Promise<void>((resolve) => {
      gate.open = resolve;
    });
    const here = reader('here', log, {
      twins: 5_000,
      fails: async () => {
        await opened;
        throw refused('00');
      },
    });
    const start = () =>
      reader('other', log, {
        fails: async () => {
          gate.open();
          throw refused('01');
        },
      });

    await expect(tryBuckets({ here, number: 2, start }, 5, () => {})).rejects.toThrow('bucket 00');
    expect(log).toEqual(['here 00', 'other 01', 'other closed']);
  });

  test('stop with the error of another thread, and end that thread', async () => {
    const log: string[] = [];
    const start = () =>
      reader('other', log, {
        fails: async () => {
          throw refused('of the thread');
        },
      });

    const run = tryBuckets({ here: reader('here', log, { twins: 5_000 }), number: 2, start }, 5, () => {});

    await expect(run).rejects.toThrow('bucket of the thread');
    expect(log.at(-1)).toBe('other closed');
    expect(log.length).toBeLessThan(BUCKET_NAMES.length);
  });
});
