import { appendFileSync } from 'node:fs';
import type { LocalLog } from './log.ts';
import { stateFailure } from './state/failure.ts';

/** Writes lines with their time to a file. If a write fails, it logs one warning and drops the lines. */
export function logToFile(file: string, log: LocalLog): (line: string) => void {
  let hasFailed = false;
  return (line) => {
    try {
      appendFileSync(file, `${new Date().toISOString()} ${line}\n`);
    } catch (error) {
      const failure = stateFailure(error, file);
      if (!hasFailed) log.warn(failure instanceof Error ? failure.message : String(failure));
      hasFailed = true;
    }
  };
}
