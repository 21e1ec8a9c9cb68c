import type { JsonValue } from '../json/json.ts';

export type LogLevel = 'info' | 'warn' | 'error';

/** Writes one structured line: the name of an event, for queries, and its facts. Callers pass no secrets. */
export type Log = (level: LogLevel, event: string, facts: Readonly<Record<string, JsonValue>>) => void;

/** Writes lines as JSON to the console, for events outside an invocation. The Functions host logs them. */
export const consoleLog: Log = (level, event, facts) => {
  console[level](JSON.stringify({ event, ...facts }));
};
