import type { LocalLog } from '../../log.ts';

/** Logs one line when something begins to fail and one line when it works again, not one for each attempt. */
export interface TriggerTrouble {
  /** `what` follows the name of the function: "cannot read partition 1". */
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

/** Name and first line of an error. The other lines of errors of the Azure SDKs contain whole requests. */
export const summary = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
