import type { JsonValue } from '../json/json.ts';

export type LogLevel = 'info' | 'warn' | 'error';

/** Writes one structured line: what happened, as a name to query by, and its facts. Never given secrets. */
export type Log = (level: LogLevel, event: string, facts: Readonly<Record<string, JsonValue>>) => void;

/** Lines as JSON on the console, which the Functions host passes on; for what belongs to no invocation. */
export const consoleLog: Log = (level, event, facts) => {
  console[level](JSON.stringify({ event, ...facts }));
};
