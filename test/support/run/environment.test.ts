import { AsyncLocalStorage, executionAsyncId } from 'node:async_hooks';
import { expect, test } from '@jest/globals';

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
