import { describe, expect, test } from '@jest/globals';
import { strFromU8, unzipSync } from 'fflate';
import { zipOf } from '../../scripts/build/zip.mjs';

const file = (name: string, text: string) => ({ name, contents: Buffer.from(text) });

describe('the zip file of the deployed package', () => {
  test('holds each file with its path and contents, also an empty one and a name that is not ASCII', () => {
    const zip = zipOf([
      file('host.json', '{}'),
      file('models/Zähler.json', 'ä'.repeat(5_000)),
      file('a/b', ''),
    ]);

    const files = Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, strFromU8(bytes)]);
    expect(files).toEqual([
      ['host.json', '{}'],
      ['models/Zähler.json', 'ä'.repeat(5_000)],
      ['a/b', ''],
    ]);
  });

  test('has the same bytes for the same files', () => {
    const files = [file('a', 'one'), file('b', 'two')];

    expect(zipOf(files).equals(zipOf(files))).toBe(true);
  });
});
