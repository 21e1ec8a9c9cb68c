import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { buildSync } from 'esbuild';
import { openJournal } from '../../local/journal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Entry {
  readonly id: number;
}

describe('journal', () => {
  let directory: string;
  let file: string;
  const read = (): Entry[] => {
    const entries: Entry[] = [];
    openJournal<Entry>(file, (entry) => entries.push(entry as Entry)).close();
    return entries;
  };

  beforeEach(() => {
    directory = temporaryFolder('journal');
    file = join(directory, 'deep', 'hub.jsonl');
  });

  test('returns the records in the order in which they were appended', () => {
    const journal = openJournal<Entry>(file, () => {});
    journal.append({ id: 1 });
    journal.append({ id: 2 });
    journal.close();

    expect(read()).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('removes a line that a crash cut off, and continues after it', () => {
    const journal = openJournal<Entry>(file, () => {});
    journal.append({ id: 1 });
    journal.close();
    appendFileSync(file, '{"id":');

    const again = openJournal<Entry>(file, () => {});
    again.append({ id: 3 });
    again.close();

    expect(read()).toEqual([{ id: 1 }, { id: 3 }]);
  });

  test('keeps a last record where only the end of the line is missing', () => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '{"id":1}\n{"id":2}');

    const again = openJournal<Entry>(file, () => {});
    again.append({ id: 3 });
    again.close();

    expect(read()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  const withLimits = process.platform === 'win32' ? test.skip : test;
  withLimits('takes back a record that did not find space, and goes on when there is space again', () => {
    // A limit for the size of a file stands for a full disk: a part of the record is written, then no more.
    const script = `
      import { openJournal } from ${JSON.stringify(resolve('local/journal.ts'))};
      const journal = openJournal(${JSON.stringify(file)}, () => {});
      journal.append({ id: 1 });
      try {
        journal.append({ id: 2, text: 'x'.repeat(10_000) });
      } catch (error) {
        console.log(error.code);
      }
      journal.compact([{ id: 1, text: 'x'.repeat(10_000) }]);
      journal.append({ id: 3 });`;
    const bundle = join(directory, 'writer.mjs');
    buildSync({
      stdin: { contents: script, resolveDir: '.' },
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
    });

    const said = execFileSync('sh', ['-c', 'ulimit -f 4; exec "$0" "$1"', process.execPath, bundle]);

    expect(String(said).trim()).toBe('BERTH_LOCAL_STATE_UNUSABLE');
    expect(read()).toEqual([{ id: 1 }, { id: 3 }]);
    expect(existsSync(`${file}.next`)).toBe(false);
  });

  test('compacts to the current state and continues to append', () => {
    const journal = openJournal<Entry>(file, () => {});
    for (let id = 0; id < 100; id += 1) journal.append({ id });
    journal.compact([{ id: 99 }]);
    journal.append({ id: 100 });
    journal.close();

    expect(read()).toEqual([{ id: 99 }, { id: 100 }]);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(3);
  });

  test('keeps nothing without a file', () => {
    const journal = openJournal<Entry>(undefined, () => {
      throw new Error('nothing to replay');
    });
    journal.append({ id: 1 });
    journal.close();
  });
});
