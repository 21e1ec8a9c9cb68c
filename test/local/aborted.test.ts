import { getEventListeners } from 'node:events';
import { expect, test } from '@jest/globals';
import { aborted } from '../../local/aborted.ts';

test('resolves when the signal is aborted, for each caller, with one listener', async () => {
  const controller = new AbortController();
  const all = Array.from({ length: 20 }, () => aborted(controller.signal));
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  let isResolved = false;
  const waiting = Promise.all(all).then(() => {
    isResolved = true;
  });
  await new Promise(setImmediate);
  expect(isResolved).toBe(false);

  controller.abort();
  await waiting;
});

test('resolves at once if the signal was aborted before', async () => {
  await aborted(AbortSignal.abort());
});
