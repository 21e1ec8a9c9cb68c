const promises = new WeakMap<AbortSignal, Promise<void>>();

/**
 * Resolves when `signal` is aborted, also if it was before. All calls with one signal share one listener: a device that connects again
 * and again would else add one each time, and Node.js warns of a leak at the eleventh.
 */
export function aborted(signal: AbortSignal): Promise<void> {
  const known = promises.get(signal);
  if (known !== undefined) return known;
  const promise = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  promises.set(signal, promise);
  return promise;
}
