import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { goldenAnswer } from '../support/arm/answers.ts';

const FOLDER = 'test/answers';
const NAMES = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length));
const rows = readFileSync(join(FOLDER, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'));
const tests = globSync(['test/**/*.ts'], { ignore: ['test/docs/answers.test.ts'] })
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

describe('the answers of Azure in test/answers', () => {
  test('are those that README.md lists', () => {
    const listed = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)]);

    expect(listed.map(([, name]) => name).sort()).toEqual([...NAMES].sort());
  });

  test.each(NAMES)('%s has a source, the request and a status', (name) => {
    const { source, request, status } = goldenAnswer(name);

    expect(source).toMatch(/learn\.microsoft\.com|azure-docs|Azure\/|As function-app/);
    expect(request).toMatch(/^(GET|POST|PUT|az) /);
    expect(typeof status).toBe('number');
  });

  test.each(NAMES)('a test uses %s', (name) => {
    expect(tests).toContain(`'${name}'`);
  });

  test.each(NAMES)('%s contains no real secret', (name) => {
    const text = JSON.stringify(goldenAnswer(name).body);
    const keys = [...text.matchAll(/"([A-Za-z0-9+/]{24,}={1,2})"|Key=([A-Za-z0-9+/]+=*)/g)];

    for (const [, alone, inside] of keys)
      expect(Buffer.from(alone ?? inside ?? '', 'base64').toString()).toContain('made-up');
  });
});
