import { realTime } from './clock.ts';

/** Long enough for a busy machine. A test that passes does not wait this long. */
const LONGEST_MS = 60_000;

/**
 * Reads a value repeatedly until `isSo` accepts it, and returns it. Fails with the last value. Use it instead of a wait
 * whose length would depend on the machine.
 */
export async function eventually<Value>(
  look: () => Promise<Value> | Value,
  isSo: (value: Value) => boolean = Boolean,
  longestMs = LONGEST_MS,
): Promise<Value> {
  const end = Date.now() + longestMs;
  for (;;) {
    const value = await look();
    if (isSo(value)) return value;
    if (Date.now() > end)
      throw new Error(`The condition was not met within ${longestMs} ms: ${JSON.stringify(value)}`);
    await realTime(10);
  }
}
