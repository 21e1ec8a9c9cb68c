import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { LOCAL_ERRORS } from '../local/errors.ts';
import { ERRORS } from '../src/errors.ts';

/** `| code | kind | … | cause | what to do |` */
const rows = new Map(
  readFileSync('docs/errors.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `BERTH_'))
    .map((line) => {
      const [code = '', kind = '', ...rest] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [code.replaceAll('`', ''), { kind, rest }] as const;
    }),
);
const kinds: readonly (readonly [string, string])[] = [
  ...Object.entries(ERRORS).map(([code, { kind }]) => [code, kind] as const),
  ...Object.entries(LOCAL_ERRORS),
];

describe('docs/errors.md', () => {
  test.each(kinds)('has a row for %s with its kind, its cause and what to do', (code, kind) => {
    expect(rows.get(code)).toEqual({
      kind,
      rest: [
        expect.stringMatching(/^(-|\d{3}|exit 1)$/),
        expect.stringMatching(/\w/),
        expect.stringMatching(/\w/),
      ],
    });
  });

  test('has no row for an unknown code', () => {
    const codes = kinds.map(([code]) => code);

    expect([...rows.keys()].filter((code) => !codes.includes(code))).toEqual([]);
  });

  test('gives the HTTP status of each code', () => {
    for (const [code, entry] of Object.entries(ERRORS)) {
      const said = 'status' in entry ? String(entry.status) : 'exit' in entry ? `exit ${entry.exit}` : '-';
      expect([code, rows.get(code)?.rest[0]]).toEqual([code, said]);
    }
  });
});
