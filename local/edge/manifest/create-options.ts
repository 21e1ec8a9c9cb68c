import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';

/*
 * The options of a container are JSON in a text. A long text is cut into chunks: `createOptions`, `createOptions01`, …
 * `createOptions99` (Microsoft.Azure.Devices.Edge.Agent.Docker/Constants.cs, edge-util JsonEx.cs).
 */

/** The agent cuts the options that it reports into texts of this length. */
const CHUNK_LENGTH = 512;
const NAME = /^createOptions(\d*)$/i;

/** The text of the options, or the problem of its chunks as a sentence. */
export type JoinedOptions =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string };

/**
 * Joins the chunks of `settings`. The agent ignores the case of the names and sorts them as text: the first has no number,
 * then 1, 2, 3 without a gap. Because of the order as text, `10` comes before `2`, so that ten chunks need two digits.
 */
export function joinCreateOptions(settings: JsonObject): JoinedOptions {
  const chunks = Object.entries(settings)
    .flatMap(([name, value]) => {
      const number = NAME.exec(name)?.[1];
      return number === undefined ? [] : [{ name: name.toLowerCase(), number, value }];
    })
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  let text = '';
  for (const [index, { name, number, value }] of chunks.entries()) {
    if (typeof value !== 'string') return { ok: false, problem: `${name} must be JSON in a text` };
    if (index === 0 ? number !== '' : Number(number) !== index) {
      return { ok: false, problem: `${name} is not chunk number ${index} of createOptions` };
    }
    text += value;
  }
  if (!isOptions(text)) return { ok: false, problem: 'createOptions is not the JSON of an object' };
  return { ok: true, text };
}

/** An empty text and `null` mean that there are no options (DockerConfig.cs). */
function isOptions(text: string): boolean {
  if (text === '' || text === 'null') return true;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value);
  } catch {
    return false;
  }
}

/** The members of reported `settings` for a text of options. @example { createOptions: '…', createOptions01: '…' } */
export function splitCreateOptions(text: string): Record<string, JsonValue> {
  const count = Math.max(1, Math.ceil(text.length / CHUNK_LENGTH));
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      index === 0 ? 'createOptions' : `createOptions${String(index).padStart(2, '0')}`,
      text.slice(index * CHUNK_LENGTH, (index + 1) * CHUNK_LENGTH),
    ]),
  );
}
