import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openJournal } from '../../local/journal.ts';

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
    directory = mkdtempSync(join(tmpdir(), 'berth-journal-'));
    file = join(directory, 'deep', 'hub.jsonl');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('gives back what was appended, in order', () => {
    const journal = openJournal<Entry>(file, () => {});
    journal.append({ id: 1 });
    journal.append({ id: 2 });
    journal.close();

    expect(read()).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('cuts off a line that a crash tore and goes on after it', () => {
    const journal = openJournal<Entry>(file, () => {});
    journal.append({ id: 1 });
    journal.close();
    appendFileSync(file, '{"id":');

    const again = openJournal<Entry>(file, () => {});
    again.append({ id: 3 });
    again.close();

    expect(read()).toEqual([{ id: 1 }, { id: 3 }]);
  });

  test('compacts to the live state and keeps appending', () => {
    const journal = openJournal<Entry>(file, () => {});
    for (let id = 0; id < 100; id += 1) journal.append({ id });
    journal.compact([{ id: 99 }]);
    journal.append({ id: 100 });
    journal.close();

    expect(read()).toEqual([{ id: 99 }, { id: 100 }]);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(3);
  });

  test('without a file it keeps nothing', () => {
    const journal = openJournal<Entry>(undefined, () => {
      throw new Error('nothing to replay');
    });
    journal.append({ id: 1 });
    journal.close();
  });
});
