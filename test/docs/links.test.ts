import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';

const PAGES = globSync(['*.md', 'docs/**/*.md', 'infra/*.md']).sort();

/** Paths of the files that a page links to, from the root of the project; not web addresses, not sections. */
function filesLinkedFrom(page: string): readonly string[] {
  return [...readFileSync(page, 'utf8').matchAll(/\]\(([\w./-]+)(?:#[\w-]+)?\)/g)].map(([, path = '']) =>
    join(dirname(page), path),
  );
}

describe('the pages of the project', () => {
  test.each(PAGES)('%s links only to files that exist', (page) => {
    expect(filesLinkedFrom(page).filter((file) => !existsSync(file))).toEqual([]);
  });

  test('README.md links to every page of docs/ and to the pages for contributors', () => {
    const linked = filesLinkedFrom('README.md');
    const pages = [...globSync('docs/*.md'), 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'LICENSE'];

    expect(pages.filter((page) => !linked.includes(page))).toEqual([]);
  });
});
