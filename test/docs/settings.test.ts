import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** What the code that runs in Azure reads of the environment; the command and the local stack have more. */
const SOURCES = ['settings', 'instance', 'functions', 'hub', 'store'].flatMap((folder) =>
  readdirSync(join('src', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('src', folder, file), 'utf8')),
);
const PREFIXES = ['BERTH_STATE', 'AzureWebJobsStorage'];
const settings = new Set(
  SOURCES.flatMap((source) => [
    ...[...source.matchAll(/\benv\.(\w+)/g)].map(([, name = '']) => name),
    ...[...source.matchAll(/\benv\[`\$\{prefix\}(__\w+)`\]/g)].flatMap(([, name]) =>
      PREFIXES.map((prefix) => `${prefix}${name}`),
    ),
    ...[...source.matchAll(/%(\w+)%/g)].map(([, name = '']) => name),
  ]),
);
const page = readFileSync('docs/deploy.md', 'utf8');
const section = page.slice(page.indexOf('\n## App settings'), page.indexOf('\n## Upgrade'));

describe('the settings in docs/deploy.md', () => {
  test('the test finds the settings in the code', () => {
    expect([...settings]).toEqual(
      expect.arrayContaining([
        'FLEET_FILE',
        'BERTH_STAMP',
        'TWIN_EVENTS_NAME',
        'BERTH_STATE__tableServiceUri',
      ]),
    );
  });

  test.each([...settings])('docs/deploy.md explains the setting %s', (name) => {
    const [prefix, part] = name.split('__');

    // The parts of one connection share a row.
    expect(
      section.includes(`\`${name}\``) || (section.includes(`\`${prefix}`) && section.includes(`__${part}\``)),
    ).toBe(true);
  });

  test('docs/deploy.md lists only settings that exist', () => {
    const rows = section.split('\n').filter((line) => /^\| `/.test(line));
    const ofBerth = rows
      .filter((row) => /\| (host, )?Berth \|/.test(row))
      .map((row) => row.split('|')[1] ?? '');
    const named = ofBerth.flatMap((cell) => [...cell.matchAll(/`([A-Z]\w+)`/g)].map(([, name = '']) => name));

    expect(named.length).toBeGreaterThan(8);
    // The host's half of a connection with an identity.
    expect(named.filter((name) => !settings.has(name) && name !== 'TWIN_EVENTS__credential')).toEqual([]);
  });
});

describe('links between the pages', () => {
  const pages = [
    'README.md',
    ...readdirSync('docs')
      .filter((file) => file.endsWith('.md'))
      .map((file) => join('docs', file)),
  ];
  const anchorsOf = (text: string) =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );

  test.each(pages)('every link to a section in %s leads to an existing section', (file) => {
    const text = readFileSync(file, 'utf8');
    const broken = [...text.matchAll(/\]\(([\w./-]*)#([\w-]+)\)/g)].filter(([, path = '', anchor = '']) => {
      const target = path === '' ? text : readFileSync(join(file, '..', path), 'utf8');
      return !anchorsOf(target).includes(anchor);
    });

    expect(broken.map(([link]) => link)).toEqual([]);
  });
});
