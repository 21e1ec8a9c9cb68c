// The pages of the site: README.md, and what its section "Documentation" lists, in that order.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** A link of Markdown in the first cell of a row, and the text of the second cell. */
const ROW = /^\| \[[^\]]+\]\((?<path>[\w./-]+\.md)\) \| (?<about>.+) \|$/gm;

/**
 * A Markdown file of the repository that is a page of the site.
 *
 * @typedef {object} Page
 * @property {string} file its path from the root of the repository.
 * @property {string} url its address from the root of the site.
 * @property {string} title its first heading.
 * @property {string} about one phrase about it, of README.md; empty for a page that README.md does not list.
 * @property {boolean} isInMenu
 */

/**
 * @param {string} root the root of the repository.
 * @returns {readonly Page[]} the pages of the menu in its order, then the others.
 */
export function pagesOf(root) {
  const read = (file) => readFileSync(posix.join(root, file), 'utf8');
  const menu = [
    { file: 'README.md', about: 'what Berth is, and the first steps' },
    ...menuOf(read('README.md')),
  ];
  const listed = new Set(menu.map(({ file }) => file));
  const folders = [...new Set(['docs', 'infra', ...menu.map(({ file }) => posix.dirname(file))])].filter(
    (folder) => folder !== '.',
  );
  const others = folders
    .flatMap((folder) => readdirSync(posix.join(root, folder)).map((name) => posix.join(folder, name)))
    .filter((file) => file.endsWith('.md') && !listed.has(file))
    .sort();
  return [
    ...menu.map((page) => ({ ...page, isInMenu: true })),
    ...others.map((file) => ({ file, about: '', isInMenu: false })),
  ].map((page) => ({ ...page, url: pageUrl(page.file), title: titleOf(read(page.file), page.file) }));
}

/** @param {string} readme */
function menuOf(readme) {
  const [, table = ''] = readme.split(/^## Documentation$/m);
  const [section] = table.split(/^## /m);
  return [...section.matchAll(ROW)].map(({ groups }) => ({ file: groups.path, about: groups.about }));
}

/**
 * The address of a page: that of its file, so that links between files stay as they are.
 *
 * @param {string} file
 */
export function pageUrl(file) {
  return file.replace(/(^|\/)README\.md$/, '$1index.html').replace(/\.md$/, '.html');
}

function titleOf(text, file) {
  const title = /^# (.+)$/m.exec(text)?.[1];
  if (title === undefined) throw new Error(`${file} has no title: begin it with "# " and a title.`);
  return title;
}
