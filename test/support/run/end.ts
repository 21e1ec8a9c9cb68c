/** Runs after all suites: ends what `begin.ts` has begun. */
export default async function end(): Promise<void> {
  await globalThis.endTestRun?.();
}
