// The links of a page, as the site needs them.
import { posix } from 'node:path';

/** Files that the site holds besides its pages. Links to others lead to the repository. */
const IS_COPIED = /\.(?:png|svg|json)$|(?:^|\/)LICENSE$/;

/**
 * What a link of a page becomes.
 *
 * @typedef {(
 *   | { kind: 'elsewhere' }
 *   | { kind: 'page', href: string, file: string, section: string }
 *   | { kind: 'file', href: string, file: string }
 *   | { kind: 'source', file: string }
 * )} Target
 */

/**
 * @param {string} link as the page has it, such as `../README.md#try-it`.
 * @param {string} from the file of the page.
 * @param {ReadonlyMap<string, string>} urls of the pages, by file.
 * @returns {Target} `href` is relative to the page. `source`: a file or folder that the site does not hold.
 */
export function targetOf(link, from, urls) {
  if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(link)) return { kind: 'elsewhere' };
  const [path = '', section = ''] = link.split('#');
  const file = path === '' ? from : posix.normalize(posix.join(posix.dirname(from), path)).replace(/\/$/, '');
  const page = urls.has(file) ? file : posix.join(file, 'README.md');
  const url = urls.get(page);
  const fromUrl = urls.get(from) ?? '';
  if (url !== undefined) {
    const relative = path === '' ? '' : relativeUrl(fromUrl, url);
    return { kind: 'page', href: section === '' ? relative : `${relative}#${section}`, file: page, section };
  }
  return IS_COPIED.test(file)
    ? { kind: 'file', href: relativeUrl(fromUrl, file), file }
    : { kind: 'source', file };
}

/**
 * @param {string} from the address of a page, from the root of the site.
 * @param {string} to another address.
 */
export function relativeUrl(from, to) {
  return posix.relative(posix.dirname(from), to) || posix.basename(to);
}
