import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';

/* `scripts/build/functions.mjs` leaves out what the functions do not use of their packages. These are its assumptions. */

const read = (path: string) => readFileSync(join('node_modules', path), 'utf8');
const textsOf = (folder: string, end: string) =>
  readdirSync(join('node_modules', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(end))
    .map((file) => read(join(folder, file)));

describe('the packages of the functions', () => {
  test('every SDK says that its modules have no effect when they are only loaded', () => {
    const packages = ['@azure', '@azure-rest', '@typespec']
      .flatMap((scope) => readdirSync(join('node_modules', scope)).map((name) => `${scope}/${name}`))
      .filter((name) => existsSync(join('node_modules', name, 'dist/esm')));

    const manifest = z.object({ sideEffects: z.unknown() });
    const effects = packages.map((name) => [
      name,
      manifest.parse(JSON.parse(read(`${name}/package.json`))).sideEffects,
    ]);
    expect(packages.length).toBeGreaterThan(10);
    expect(effects).toEqual(packages.map((name) => [name, false]));
  });

  test('the sign-in with a certificate uses only one function of jsonwebtoken', () => {
    const calls = textsOf('@azure/msal-node/dist', '.mjs').flatMap((text) =>
      [...text.matchAll(/\bjwt\.(\w+)/g)].map(([, name]) => name),
    );

    expect([...new Set(calls)]).toEqual(['sign']);
  });

  test('jsonwebtoken asks only whether Node.js is newer than a version before 20', () => {
    const uses = textsOf('jsonwebtoken', '.js').flatMap((text) =>
      [...text.matchAll(/\bsemver\.(.*)/g)].map(([, use]) => use),
    );

    expect(uses.length).toBeGreaterThan(0);
    for (const use of uses) expect(use).toMatch(/^satisfies\(process\.version, '.*>=(\d|1\d)\.\d+\.\d+'\);$/);
  });

  test('undici forms a body only from forms, and speaks HTTP/2 only with an option', () => {
    const uses = textsOf('undici/lib/dispatcher', '.js').flatMap((text) =>
      [...text.matchAll(/\n( *)if \((.*)\) \{\n\s+if \(!extractBody\)/g)].map(([, , condition]) => condition),
    );

    expect([...new Set(uses)]).toEqual(['util.isFormDataLike(body)']);
    expect(read('undici/lib/core/connect.js')).toContain('allowH2 = allowH2 != null ? allowH2 : false');
  });
});
