import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as z from 'zod';

const read = (file: string) => readFileSync(file, 'utf8');
const json = (file: string): unknown => JSON.parse(read(file));
const SCRIPTS = z.object({ scripts: z.record(z.string(), z.string()) }).parse(json('package.json')).scripts;

describe('.vscode', () => {
  test('runs only npm scripts that exist', () => {
    const { tasks } = z
      .object({ tasks: z.array(z.object({ label: z.string(), script: z.string().optional() })) })
      .parse(json('.vscode/tasks.json'));
    const scripts = tasks.flatMap(({ script }) => script ?? []);

    expect(scripts).toEqual(expect.arrayContaining(['build', 'typecheck', 'lint', 'test']));
    expect(scripts.filter((script) => !Object.hasOwn(SCRIPTS, script))).toEqual([]);
  });

  test('launches only after tasks that exist', () => {
    const { tasks } = z
      .object({ tasks: z.array(z.object({ label: z.string() })) })
      .parse(json('.vscode/tasks.json'));
    const { configurations } = z
      .object({ configurations: z.array(z.object({ preLaunchTask: z.string().optional() })) })
      .parse(json('.vscode/launch.json'));
    const before = configurations.flatMap(({ preLaunchTask }) => preLaunchTask ?? []);

    expect(before.filter((label) => !tasks.some((task) => task.label === label))).toEqual([]);
  });
});

test('Dependabot updates npm packages and the actions of the workflows', () => {
  const { updates } = z
    .object({ updates: z.array(z.object({ 'package-ecosystem': z.string(), directory: z.string() })) })
    .parse(parse(read('.github/dependabot.yml')));

  expect(updates.map((update) => [update['package-ecosystem'], update.directory])).toEqual([
    ['npm', '/'],
    ['npm', '/docs-site'],
    ['github-actions', '/'],
  ]);
});

test('CODEOWNERS names an owner for every file', () => {
  expect(read('.github/CODEOWNERS')).toMatch(/^\* @[\w-]+\/[\w-]+$/m);
});

test('.editorconfig has the line length of the formatter', () => {
  const { formatter } = z
    .object({ formatter: z.object({ lineWidth: z.number() }) })
    .parse(json('biome.json'));

  expect(read('.editorconfig')).toContain(`[*]\n`);
  expect(read('.editorconfig')).toContain(`max_line_length = ${formatter.lineWidth}\n`);
});

test('the license in LICENSE is the one that package.json names', () => {
  expect(read('LICENSE')).toMatch(/^MIT License\n\nCopyright \(c\) 2026 Berth contributors\n/);
  expect(json('package.json')).toMatchObject({ license: 'MIT' });
});

test('docs/glossary.md explains each term in one sentence', () => {
  const rows = read('docs/glossary.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| Term |'))
    .map((line) => line.split('|').map((cell) => cell.trim()));

  expect(rows.length).toBeGreaterThan(20);
  for (const [, term, meaning, ...rest] of rows) {
    expect([term, meaning, rest]).toEqual([
      expect.stringMatching(/^\S/),
      expect.stringMatching(/^[A-Z].*[^.]\.$/),
      [''],
    ]);
  }
});
