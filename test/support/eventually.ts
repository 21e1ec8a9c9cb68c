import { realTime } from './clock.ts';

/** Long enough for a machine that does much else; a test that passes never waits for it. */
const LONGEST_MS = 60_000;

/**
 * Looks again and again until `isSo`, and answers what it saw then. Fails with what it saw last. Takes the place of a wait
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
    if (Date.now() > end) throw new Error(`Still not so after ${longestMs} ms: ${JSON.stringify(value)}`);
    await realTime(10);
  }
}
