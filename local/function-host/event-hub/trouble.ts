import type { LocalLog } from '../../log.ts';

/**
 * Says once that something fails and is being tried again, and once that it works again: nobody reads a line
 * per attempt.
 */
export interface TriggerTrouble {
  /** `what` goes on after the function's name: "cannot read partition 1". */
  begins(key: string, what: string, error: unknown): void;
  ends(key: string, what: string): void;
}

export function createTrouble(functionName: string, log: LocalLog): TriggerTrouble {
  const current = new Set<string>();
  return {
    begins(key, what, error) {
      if (current.has(key)) return;
      current.add(key);
      log.warn(`${functionName} ${what} (${summary(error)}) and keeps trying.`);
    },
    ends(key, what) {
      if (current.delete(key)) log.info(`${functionName} ${what} again.`);
    },
  };
}

/** Name and first line of what was thrown; errors of the Azure SDKs go on with whole requests. */
export const summary = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
