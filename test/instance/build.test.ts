import { expect, test } from '@jest/globals';
import { authorToCome } from '../../scripts/build/bundle.mjs';
import { knownAuthor } from '../../src/instance/build.ts';

test.each([
  ['of a commit', 'Ann <ann@contoso.com>', 'Ann <ann@contoso.com>'],
  ['outside of a git clone', '', undefined],
  ['of the npm package, before a project has made its own', authorToCome('2026-11-28T20:00:00Z'), undefined],
])('the author %s', (_, text, author) => {
  expect(knownAuthor(text)).toBe(author);
});
