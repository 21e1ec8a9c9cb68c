import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { consoleFile } from '../../src/console/files.ts';
import { consoleFiles } from '../../src/functions/files.ts';
import { call } from '../support/http-call.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
beforeAll(() => {
  const around = temporaryFolder('console');
  folder = join(around, 'console');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(around, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'assets', 'app-1a2b.js'), 'start();');
  writeFileSync(join(folder, 'assets', 'run.sh'), 'echo');
  writeFileSync(join(folder, '.hidden.txt'), 'hidden');
  symlinkSync(join(around, 'secret.txt'), join(folder, 'link.txt'));
});

const get = (path: string | undefined, headers: Record<string, string> = {}, url = '/api/console/') =>
  call(consoleFiles(folder), {
    params: path === undefined ? {} : { path },
    headers,
    url: `http://localhost${url}`,
  });

describe('the files of the console', () => {
  test('are the page for an empty path, with a strict policy and its type', async () => {
    const { status, text, headers } = await get(undefined);

    expect([status, text]).toEqual([200, '<!doctype html>']);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
    });
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('unsafe');
  });

  test('are the files of sub-folders by their type', async () => {
    const { status, text, headers } = await get('assets/app-1a2b.js');

    expect([status, text, headers['content-type']]).toEqual([
      200,
      'start();',
      'text/javascript; charset=utf-8',
    ]);
  });

  test('are answered with 304 and no body if the browser has them', async () => {
    const { headers } = await get('assets/app-1a2b.js');
    const tags = [headers.etag, `W/${headers.etag}`, `"x", ${headers.etag}`, '*'];

    for (const tag of tags) {
      const again = await get('assets/app-1a2b.js', { 'if-none-match': tag ?? '' });
      expect([again.status, again.text]).toEqual([304, '']);
    }
    expect((await get('assets/app-1a2b.js', { 'if-none-match': '"x"' })).status).toBe(200);
  });

  test('are reached by a redirect where the address has no slash at its end', async () => {
    const { status, headers } = await get(undefined, {}, '/api/console');

    expect([status, headers.location]).toEqual([302, 'console/index.html']);
    expect((await get('index.html', {}, '/api/console/index.html')).status).toBe(200);
  });

  test.each([
    '../secret.txt',
    'assets/../../secret.txt',
    '..\\secret.txt',
    '%2e%2e/secret.txt',
    '..%2Fsecret.txt',
    '/etc/passwd.txt',
    'link.txt',
    '.hidden.txt',
    'assets',
    'assets/run.sh',
    'assets/app-1a2b.js/x.js',
    'index.html\u0000.js',
    'nothing.js',
    `${'x'.repeat(300)}.js`,
    'C:/windows.txt',
  ])('do not include %j', async (path) => {
    const { status, body, text } = await get(path);

    expect([status, body.error?.code]).toEqual([404, 'BERTH_FILE_UNKNOWN']);
    expect(text).not.toContain('secret"');
    expect(await consoleFile(folder, path)).toBeUndefined();
  });

  test('are none where the console was not built', async () => {
    expect(await consoleFile(join(folder, 'nowhere'), '')).toBeUndefined();
  });
});
