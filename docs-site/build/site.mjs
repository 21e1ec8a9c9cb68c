// What the site holds, from the Markdown files of the repository.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokenLinks } from './broken-links.mjs';
import { relativeUrl } from './links.mjs';
import { renderer } from './markdown.mjs';
import { pagesOf } from './pages.mjs';

/** The deepest headings in the list beside a page. */
const OUTLINE_LEVEL = 3;

/**
 * @param {string} root the root of the repository.
 * @param {string | undefined} repository the address of the source; undefined: not known.
 * @returns what the layout shows of each page; the files to copy; the sections to search, each as title of the page, heading,
 *   address and text.
 * @throws Error that lists all broken links
 */
export function builtSite(root, repository) {
  const pages = pagesOf(root);
  const render = renderer(new Map(pages.map(({ file, url }) => [file, url])), repository);
  const rendered = pages.map((page) => ({
    ...page,
    ...render(readFileSync(join(root, page.file), 'utf8'), page.file),
  }));
  const broken = brokenLinks(root, rendered);
  if (broken.length > 0) throw new Error(`The docs have broken links:\n${broken.join('\n')}`);
  return {
    documents: rendered.map((page) => documentOf(page, pages, repository)),
    files: [...new Set(rendered.flatMap(({ targets }) => targets.filter(isCopied).map(({ file }) => file)))],
    sections: rendered.flatMap(({ title, url, sections }) =>
      sections.map(({ name, heading, level, text }) => ({
        page: title,
        heading,
        url: level === 1 ? url : `${url}#${name}`,
        text,
      })),
    ),
  };
}

function isCopied({ kind }) {
  return kind === 'file';
}

function documentOf({ file, url, title, about, html, sections }, pages, repository) {
  const menu = pages.filter(({ isInMenu }) => isInMenu);
  const place = menu.findIndex((each) => each.url === url);
  const linkTo = (page) => page && { href: relativeUrl(url, page.url), title: page.title };
  return {
    url,
    title,
    about,
    html,
    home: '../'.repeat(url.split('/').length - 1),
    menu: menu.map((page) => ({ ...linkTo(page), isHere: page.url === url })),
    previous: place < 0 ? undefined : linkTo(menu[place - 1]),
    next: place < 0 ? undefined : linkTo(menu[place + 1]),
    outline: sections.filter(({ level }) => level > 1 && level <= OUTLINE_LEVEL),
    source: repository && `${repository}/${file}`,
  };
}
