import { readFileSync } from 'node:fs';
import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';

/** An answer of Azure with its source. `test/answers` has one file for each; its README.md lists them. */
export interface GoldenAnswer {
  /** Where Microsoft or a project of others shows this answer. */
  readonly source: string;
  /** The call, or the command of the Azure CLI. */
  readonly request: string;
  /** The status, or the exit code of the command. */
  readonly status: number;
  readonly body: JsonValue;
}

export function goldenAnswer(name: string): GoldenAnswer {
  return JSON.parse(readFileSync(`test/answers/${name}.json`, 'utf8')) as GoldenAnswer;
}

/** The body of a golden answer that is an object. */
export function answered(name: string): JsonObject {
  const { body } = goldenAnswer(name);
  if (!isObject(body)) throw new Error(`test/answers/${name}.json has no object as its body`);
  return body;
}
