import { realTime } from './clock.ts';

/** Between two looks of a short wait. */
const SHORTEST_MS = 10;
/** Between two looks of a long wait. Each may ask other processes, which need the processor for their own work. */
const LONGEST_PAUSE_MS = 1_000;

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
  const start = Date.now();
  for (;;) {
    const value = await look();
    if (isSo(value)) return value;
    const waited = Date.now() - start;
    if (waited > longestMs)
      throw new Error(`The condition was not met within ${longestMs} ms: ${JSON.stringify(value)}`);
    // A tenth of the time so far: what comes soon is seen at once, and a long wait costs few looks.
    await realTime(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_MS, waited / 10)));
  }
}
