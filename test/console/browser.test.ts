import { describe, expect, test } from '@jest/globals';
import { findBrowser } from './browser.ts';

describe('the browser of the tests', () => {
  test('the one that CHROMIUM names is taken before any that is installed', () => {
    expect(findBrowser({ CHROMIUM: process.execPath })).toBe(process.execPath);
  });

  test('a CHROMIUM that names no file is an error, and not a reason to skip', () => {
    expect(() => findBrowser({ CHROMIUM: '/no/such/browser' })).toThrow(/CHROMIUM is "\/no\/such\/browser"/);
  });
});
