import { readFileSync } from 'node:fs';
import type { JsonObject } from '../../../src/json/json.ts';

/** An answer of Azure with its source. `test/answers` has one file for each. */
export interface GoldenAnswer {
  /** Where Microsoft or a project of others shows this answer. */
  readonly source: string;
  readonly request: string;
  readonly status: number;
  readonly body: JsonObject;
}

export function goldenAnswer(name: string): GoldenAnswer {
  return JSON.parse(readFileSync(`test/answers/${name}.json`, 'utf8')) as GoldenAnswer;
}

/** The body of a golden answer. */
export function answered(name: string): JsonObject {
  return goldenAnswer(name).body;
}
