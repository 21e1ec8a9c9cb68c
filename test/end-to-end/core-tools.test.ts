import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

function testFunc(env: Readonly<Record<string, string>>): Promise<{ code: unknown; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['scripts/test-func.mjs'],
      { env: { PATH: process.env.PATH, ...env } },
      (error, _, err) => resolve({ code: error?.code ?? 0, err }),
    );
  });
}

describe('npm run test:func', () => {
  test.each(['no-such-func', '/bin/false'])(
    'says in one line what is missing where func is %s',
    async (func) => {
      const { code, err } = await testFunc({ FUNC: func });

      expect([code, err]).toEqual([
        1,
        `"${func}" is missing: run npm install --global azure-functions-core-tools@4, or set FUNC to the path of func.\n`,
      ]);
    },
  );
});

describe('host.json', () => {
  test('keeps the log lines of the functions, and only errors of the Azure SDKs of the host', () => {
    const { logging } = JSON.parse(readFileSync('host.json', 'utf8'));

    expect(logging.logLevel).toEqual({ default: 'Information', Azure: 'Error' });
  });
});
