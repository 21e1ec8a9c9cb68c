/** Runs after all suites and cleans up what `begin.ts` created. */
export default async function end(): Promise<void> {
  await globalThis.endTestRun?.();
}
