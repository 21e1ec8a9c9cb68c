import { AsyncLocalStorage, executionAsyncId } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';
import { z } from 'zod';

const Environment = createRequire(import.meta.url)('./environment.cjs') as new (needs: {
  readonly projectConfig: object;
}) => { teardown(): Promise<void> };

test('Node.js follows no promises in a suite, which would cost a twentieth of its time', async () => {
  await Promise.resolve();

  // Zero without hooks, because nothing then gives numbers to promises.
  expect(executionAsyncId()).toBe(0);
});

test('a suite can use an AsyncLocalStorage of Node.js', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen = ['one', 'other'].map((store) =>
    storage.run(store, async () => {
      await new Promise(setImmediate);
      return storage.getStore();
    }),
  );

  expect(await Promise.all(seen)).toEqual(['one', 'other']);
});

test('an error of Node.js, and one of a package, is an Error of the suite', () => {
  const errors = [() => readFileSync('/no/such/file'), () => z.string().parse(1)].map((fail) => {
    try {
      return fail();
    } catch (error) {
      return error;
    }
  });

  expect(errors.map((error) => error instanceof Error)).toEqual([true, true]);
});

test('a suite starts with the process as it was before the suite that ran before it', async () => {
  const { exit, env } = process;
  const { console } = globalThis;
  const before = { ...env };
  const environment = new Environment({ projectConfig: {} });

  env.TMPDIR = '/other';
  env.ONLY_HERE = 'yes';
  delete env.PATH;
  process.exit = () => exit(0);
  globalThis.console = Object.create(console) as Console;
  await environment.teardown();

  expect({ ...process.env }).toEqual(before);
  expect(process.exit).toBe(exit);
  expect(globalThis.console).toBe(console);
});
