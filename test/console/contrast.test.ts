import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { STATUS_COLORS, STATUS_PATTERNS } from '../../console/charts/status-style.ts';

const CSS = readFileSync('console/style/tokens.css', 'utf8');
const THEMES = {
  light: tokensOf(':root {'),
  dark: { ...tokensOf(':root {'), ...tokensOf(':root[data-theme="dark"] {') },
};

/** The colours of a block, by their names. */
function tokensOf(selector: string): Readonly<Record<string, string>> {
  const block = CSS.slice(CSS.indexOf(selector)).split('}')[0] ?? '';
  return Object.fromEntries(
    [...block.matchAll(/(--[\w-]+): (#[0-9a-f]{6});/g)].map(([, name, color]) => [name, color]),
  );
}

/** Relative luminance and contrast as WCAG 2 defines them. */
function contrast(one: string, other: string): number {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].sort((left, right) => right - left);
  return (high + 0.05) / (low + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const SURFACES = ['--page', '--surface', '--raised', '--sunken'];
const TEXT: readonly (readonly [color: string, on: readonly string[]])[] = [
  ['--text', [...SURFACES, '--accent-soft', '--warn-soft', '--bad-soft', '--info-soft', '--good-soft']],
  ['--muted', SURFACES],
  ['--accent', [...SURFACES, '--accent-soft']],
  ['--accent-text', ['--accent']],
  ['--good', ['--surface', '--good-soft']],
  ['--info', ['--surface', '--info-soft']],
  ['--warn', ['--surface', '--warn-soft']],
  ['--bad', ['--surface', '--page', '--bad-soft']],
  ['--contest', ['--surface', '--contest-soft']],
  ['--idle', ['--surface', '--idle-soft']],
];
/** Lines of charts, borders of fields and marks: 3 to 1 (WCAG 1.4.11). */
const GRAPHICS = ['--line-strong', '--accent', '--warn', '--contest', ...Object.values(STATUS_COLORS)];

describe.each(['light', 'dark'] as const)('the colours of the %s theme', (theme) => {
  const colors = THEMES[theme];
  const between = (color: string, on: string) => contrast(colors[color] ?? '', colors[on] ?? '');

  test.each(TEXT)('text in %s is readable on every ground that it stands on', (color, grounds) => {
    for (const ground of grounds) expect([ground, between(color, ground) >= 4.5]).toEqual([ground, true]);
  });

  test.each(GRAPHICS)('lines and marks in %s are seen', (color) => {
    expect(between(color, '--surface')).toBeGreaterThanOrEqual(3);
  });
});

test('no two statuses have the same pattern, so that charts are read without colours', () => {
  expect(new Set(Object.values(STATUS_PATTERNS)).size).toBe(Object.keys(STATUS_PATTERNS).length);
});
