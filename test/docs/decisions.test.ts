import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const FOLDER = 'docs/decisions';
const RECORDS = readdirSync(FOLDER).filter((file) => file !== 'README.md');
const INDEX = readFileSync(join(FOLDER, 'README.md'), 'utf8');

const HEADER =
  /^# (\d+)\. (.+)\n\n- Status: (accepted|proposed|superseded by .+)\n- Date: (\d{4}-\d\d-\d\d(?:, revised \d{4}-\d\d-\d\d)?)\n/;
const SECTIONS = ['Context', 'Decision', 'Alternatives', 'Consequences'];

/** The second-level headings of a record, in order, and whether text stands below each. */
function sectionsOf(record: string): readonly (readonly [heading: string, hasText: boolean])[] {
  return record
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      return [heading, lines.some((line) => line.trim() !== '')] as const;
    });
}

describe('docs/decisions', () => {
  test('numbers its records without a gap', () => {
    expect(RECORDS.map((file) => file.slice(0, 5))).toEqual(
      RECORDS.map((_, index) => `${String(index + 1).padStart(4, '0')}-`),
    );
  });

  test.each(RECORDS)('%s has a number, a title, a status and a date', (file) => {
    const [, number] = HEADER.exec(readFileSync(join(FOLDER, file), 'utf8')) ?? [];

    expect(number).toBe(String(Number(file.slice(0, 4))));
  });

  test.each(RECORDS)('%s has a context, a decision, alternatives and consequences', (file) => {
    expect(sectionsOf(readFileSync(join(FOLDER, file), 'utf8'))).toEqual(
      SECTIONS.map((heading) => [heading, true]),
    );
  });

  test('README.md lists every record with its title, status and date, and no other', () => {
    const rows = RECORDS.map((file) => {
      const [, number, title, status, date] = HEADER.exec(readFileSync(join(FOLDER, file), 'utf8')) ?? [];
      return `| [${number}. ${title}](${file}) | ${status} | ${date} |`;
    });

    expect(INDEX.split('\n').filter((line) => line.startsWith('| ['))).toEqual(rows);
  });
});
