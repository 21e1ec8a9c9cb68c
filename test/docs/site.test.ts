import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { targetOf } from '../../docs-site/build/links.mjs';
import { pagesOf, pageUrl } from '../../docs-site/build/pages.mjs';
import { sectionName } from '../../docs-site/build/sections.mjs';

const PAGES = pagesOf('.');
const URLS = new Map(PAGES.map(({ file, url }) => [file, url]));

const pins = z.record(z.string(), z.string().regex(/^\d+\.\d+\.\d+$/));
/** Of the `package.json` of the site. */
const manifestSchema = z.object({ scripts: z.object({ build: z.string() }), dependencies: pins });
/** Of its lock file: install scripts and registry addresses do not belong there. */
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ hasInstallScript: z.undefined().optional(), resolved: z.undefined().optional() }),
  ),
});

const read = (file: string) => readFileSync(file, 'utf8');
const json = (file: string): unknown => JSON.parse(read(file));

/** A page without its code: blocks between fences, and text between backticks. */
function withoutCode(text: string): string {
  return text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]+`/g, '');
}

/** The sections of a page by GitHub's names, from its headings outside of code blocks. */
function sectionsOf(text: string): ReadonlySet<string> {
  const used = new Map<string, number>();
  const headings = text.replace(/^```.*?^```$/gms, '').matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      sectionName(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, ''), used),
    ),
  );
}

describe('the site of the docs', () => {
  test('its menu begins with README.md and lists what README.md lists, in the same order', () => {
    const menu = PAGES.filter(({ isInMenu }) => isInMenu).map(({ file }) => file);
    const linked = [...read('README.md').matchAll(/^\| \[[^\]]+\]\(([\w./-]+)\) \|/gm)].map(
      ([, file]) => file,
    );

    expect(menu).toEqual(['README.md', ...linked]);
    expect(menu).toEqual(expect.arrayContaining(['docs/console.md', 'docs/decisions/README.md']));
  });

  test('every page has a title, an address of its own, and each file that it needs', () => {
    expect(new Set(URLS.values()).size).toBe(PAGES.length);
    expect(PAGES.filter(({ title }) => title === '')).toEqual([]);
    expect(URLS.get('docs/decisions/0002-placement.md')).toBe('docs/decisions/0002-placement.html');
    expect(URLS.get('infra/README.md')).toBe('infra/index.html');
  });

  test.each(PAGES.map(({ file }) => file))('%s links only to sections that exist', (file) => {
    const links = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) =>
      targetOf(link, file, URLS),
    );

    const broken = links.filter((link) => {
      if (link.kind === 'elsewhere') return false;
      if (!existsSync(link.file)) return true;
      return link.kind === 'page' && link.section !== '' && !sectionsOf(read(link.file)).has(link.section);
    });

    expect(broken).toEqual([]);
  });

  test.each(PAGES.map(({ file }) => file))('%s has no HTML but badges, which the site leaves out', (file) => {
    const lines = withoutCode(read(file)).split('\n');

    expect(
      lines.filter((line) => /<[a-zA-Z!/]/.test(line) && !line.startsWith('<a href="../../actions/')),
    ).toEqual([]);
  });

  test('its packages are pinned, none has an install script, and none has the address of a registry', () => {
    const { dependencies, scripts } = manifestSchema.parse(json('docs-site/package.json'));
    const lock = lockSchema.parse(json('docs-site/package-lock.json'));

    expect(scripts.build).toContain('eleventy');
    expect(Object.keys(dependencies).map((name) => `node_modules/${name}` in lock.packages)).toEqual(
      Object.keys(dependencies).map(() => true),
    );
  });
});

describe('the names of sections', () => {
  test.each([
    ['What it costs', 'what-it-costs'],
    ['hubs[].share', 'hubsshare'],
    ['The berth command', 'the-berth-command'],
    ['CA certificates, and proof of possession', 'ca-certificates-and-proof-of-possession'],
    ['1. Über snake_case & more', '1-über-snake_case--more'],
  ])('%j is %j, as on GitHub', (heading, name) => {
    expect(sectionName(heading, new Map())).toBe(name);
  });

  test('a second section with the same heading gets a number', () => {
    const used = new Map<string, number>();

    expect(['Links', 'Links', 'Other', 'Links'].map((heading) => sectionName(heading, used))).toEqual([
      'links',
      'links-1',
      'other',
      'links-2',
    ]);
  });
});

describe('the links of a page', () => {
  test.each([
    ['https://cel.dev', { kind: 'elsewhere' }],
    ['//cel.dev', { kind: 'elsewhere' }],
    ['mailto:someone@contoso.com', { kind: 'elsewhere' }],
    ['#keys', { kind: 'page', href: '#keys', file: 'docs/console.md', section: 'keys' }],
    ['local.md', { kind: 'page', href: 'local.html', file: 'docs/local.md', section: '' }],
    [
      'local.md#faults',
      { kind: 'page', href: 'local.html#faults', file: 'docs/local.md', section: 'faults' },
    ],
    ['../README.md', { kind: 'page', href: '../index.html', file: 'README.md', section: '' }],
    [
      'decisions/',
      { kind: 'page', href: 'decisions/index.html', file: 'docs/decisions/README.md', section: '' },
    ],
    ['images/a.png', { kind: 'file', href: 'images/a.png', file: 'docs/images/a.png' }],
    [
      '../schemas/openapi.json',
      { kind: 'file', href: '../schemas/openapi.json', file: 'schemas/openapi.json' },
    ],
    ['../LICENSE', { kind: 'file', href: '../LICENSE', file: 'LICENSE' }],
    ['../src/twin', { kind: 'source', file: 'src/twin' }],
    ['../src/errors.ts', { kind: 'source', file: 'src/errors.ts' }],
  ])('%s of docs/console.md leads to its place on the site', (link, target) => {
    expect(targetOf(link, 'docs/console.md', URLS)).toEqual(target);
  });

  test.each([
    ['README.md', 'index.html'],
    ['docs/decisions/README.md', 'docs/decisions/index.html'],
    ['docs/README.mdx.md', 'docs/README.mdx.html'],
  ])('the address of %s is %s', (file, url) => {
    expect(pageUrl(file)).toBe(url);
  });
});
