import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { inputsDigest, isBuilt, markBuilt } from '../../scripts/build/inputs.mjs';
import { temporaryFolder } from '../support/temporary-folder.ts';

let project: string;
let dist: string;
beforeEach(() => {
  project = temporaryFolder('project');
  dist = join(project, 'dist');
  for (const folder of ['src', 'dist', 'docs', 'node_modules']) mkdirSync(join(project, folder));
  writeFileSync(join(project, 'package.json'), '{}');
  writeFileSync(join(project, 'src', 'main.ts'), 'a');
});

describe('A build is repeated', () => {
  test.each<[what: string, change: () => void]>([
    ['a source file has another size', () => writeFileSync(join(project, 'src', 'main.ts'), 'ab')],
    ['a source file was saved', () => utimesSync(join(project, 'src', 'main.ts'), 1, 1)],
    ['a source file was added', () => writeFileSync(join(project, 'src', 'other.ts'), '')],
    ['a file of the root folder was added', () => writeFileSync(join(project, 'fleet.json'), '{}')],
    [
      'packages were installed',
      () => writeFileSync(join(project, 'node_modules', '.package-lock.json'), '{}'),
    ],
  ])('if %s', (_, change) => {
    markBuilt(dist, inputsDigest(project));

    change();

    expect(isBuilt(dist, inputsDigest(project))).toBe(false);
  });

  test('if the last one did not end', () => {
    expect(isBuilt(dist, inputsDigest(project))).toBe(false);
  });
});

test('a build is not repeated if only documentation or its own output changed', () => {
  markBuilt(dist, inputsDigest(project));

  writeFileSync(join(project, 'docs', 'local.md'), '');
  writeFileSync(join(dist, 'local.cjs'), '');

  expect(isBuilt(dist, inputsDigest(project))).toBe(true);
});
