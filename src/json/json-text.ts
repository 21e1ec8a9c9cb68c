import type { JsonValue } from './json.ts';

/** A place in a text. Lines and columns start at 1. Columns count UTF-16 code units, as editors do. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** A key that occurs twice in one object. `JSON.parse` would silently keep the last one only. */
export interface RepeatedKey {
  /** The path of the member, such as `['allocation', 'rules', 0, 'when']`. */
  readonly path: readonly (string | number)[];
  readonly first: TextPosition;
  readonly again: TextPosition;
}

export type ParsedJsonText =
  | {
      readonly ok: true;
      readonly json: JsonValue;
      /** At most the first twenty. */
      readonly repeated: readonly RepeatedKey[];
    }
  | { readonly ok: false; readonly at: TextPosition; readonly what: string };

/** The problem of a text without content. */
export const EMPTY = 'it is empty';

/**
 * Reads a JSON text that a person wrote. It is stricter than `JSON.parse`: it finds repeated keys and numbers that are too
 * large. For a text that is not JSON, it says where and why, in the same words on every version of Node. It never repeats
 * the text, because that may hold a secret. The time is proportional to the length of the text, at any depth.
 */
export function parseJsonText(text: string): ParsedJsonText {
  const reader = new JsonTextReader(text);
  const wrong = reader.read();
  if (wrong !== undefined) return { ok: false, ...wrong };
  return { ok: true, json: JSON.parse(text) as JsonValue, repeated: reader.repeated };
}

/** `line 3, column 5`. */
export function positionText({ line, column }: TextPosition): string {
  return `line ${line}, column ${column}`;
}

/** At most this many are reported. A program wrote a text with more. */
const MAX_REPEATED = 20;

interface Wrong {
  readonly at: TextPosition;
  readonly what: string;
}

/** An object or list whose end is not read yet. */
interface Container {
  readonly kind: 'object' | 'list';
  /** The position of each key of an object. */
  readonly keys: Map<string, number>;
  /** The key or index of the member that is being read; undefined before the first. */
  at: string | number | undefined;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Characters up to the end of the text, an escape or a control character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in texts
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;
const WORD = /[A-Za-z_$][\w$]*/y;

class JsonTextReader {
  readonly repeated: RepeatedKey[] = [];
  readonly #text: string;
  readonly #open: Container[] = [];
  /** The position of the start of each line. */
  #lines: readonly number[] | undefined;
  #index = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The first problem of the text. Undefined: it is JSON. */
  read(): Wrong | undefined {
    this.#skip(SPACE);
    if (this.#index === this.#text.length) return this.#wrong(EMPTY);
    let wrong = this.#value();
    while (wrong === undefined && this.#open.length > 0) wrong = this.#next();
    if (wrong !== undefined) return wrong;
    this.#skip(SPACE);
    return this.#index === this.#text.length ? undefined : this.#unexpected('the end of the file');
  }

  /** Reads a text, number or word completely; an object or list up to its first member. */
  #value(): Wrong | undefined {
    const character = this.#text[this.#index];
    if (character === '{') return this.#opens('object', '}');
    if (character === '[') return this.#opens('list', ']');
    if (character === '"') {
      const found = this.#string();
      return typeof found === 'string' ? undefined : found;
    }
    if (character === '-' || (character !== undefined && character >= '0' && character <= '9')) {
      return this.#number();
    }
    for (const word of ['true', 'false', 'null']) {
      if (this.#match(WORD) !== word) continue;
      this.#index += word.length;
      return undefined;
    }
    return this.#unexpected('a value');
  }

  #opens(kind: Container['kind'], end: string): Wrong | undefined {
    this.#index += 1;
    this.#skip(SPACE);
    if (this.#text[this.#index] === end) {
      this.#index += 1;
      return undefined;
    }
    this.#open.push({ kind, keys: new Map(), at: undefined });
    return undefined;
  }

  /** Continues the innermost open object or list: its first member, or its end, or a comma and the next member. */
  #next(): Wrong | undefined {
    const container = this.#open.at(-1);
    if (container === undefined) return undefined;
    if (container.at === undefined) return this.#member(container);
    const end = container.kind === 'object' ? '}' : ']';
    this.#skip(SPACE);
    if (this.#text[this.#index] === end) {
      this.#index += 1;
      this.#open.pop();
      return undefined;
    }
    if (this.#text[this.#index] !== ',') return this.#unexpected(`"," or "${end}"`);
    this.#index += 1;
    this.#skip(SPACE);
    if (this.#text[this.#index] === end) return this.#wrong(`remove the comma before this "${end}"`);
    return this.#member(container);
  }

  #member(container: Container): Wrong | undefined {
    if (container.kind === 'list') container.at = typeof container.at === 'number' ? container.at + 1 : 0;
    else {
      const start = this.#index;
      if (this.#text[start] !== '"') return this.#unexpected('a key in double quotes');
      const key = this.#string();
      if (typeof key !== 'string') return key;
      container.at = key;
      const first = container.keys.get(key);
      if (first === undefined) container.keys.set(key, start);
      else if (this.repeated.length < MAX_REPEATED) {
        this.repeated.push({
          path: this.#open.map(({ at = '' }) => at),
          first: this.#positionOf(first),
          again: this.#positionOf(start),
        });
      }
      this.#skip(SPACE);
      if (this.#text[this.#index] !== ':') return this.#unexpected('":" after the key');
      this.#index += 1;
      this.#skip(SPACE);
    }
    return this.#value();
  }

  /** Reads a text that starts here, and resolves its escapes. */
  #string(): string | Wrong {
    const start = this.#index;
    this.#index += 1;
    for (;;) {
      this.#skip(PLAIN);
      const character = this.#text[this.#index];
      if (character === '"') {
        this.#index += 1;
        const written = this.#text.slice(start, this.#index);
        return written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1);
      }
      if (character === undefined || character === '\n' || character === '\r') {
        return this.#wrong('a text that begins here has no closing quote on its line', start);
      }
      if (character !== '\\') return this.#wrong('write a control character in a text as \\u00XX or \\t');
      const escaped = this.#match(ESCAPE);
      if (escaped === undefined)
        return this.#wrong('"\\" does not begin an escape of JSON: write "\\\\" for a backslash');
      this.#index += escaped.length;
    }
  }

  #number(): Wrong | undefined {
    const start = this.#index;
    const number = this.#match(NUMBER);
    if (number === undefined) return this.#unexpected('a number');
    this.#index += number.length;
    if (/[\w.+]/.test(this.#text[this.#index] ?? '')) {
      return this.#wrong('this is not a JSON number, such as 5, -0.5 or 1e3', start);
    }
    return Number.isFinite(Number(number))
      ? undefined
      : this.#wrong('this number is too large: at most about 1.8e308', start);
  }

  #unexpected(wanted: string): Wrong {
    const rest = this.#text.slice(this.#index, this.#index + 2);
    if (rest === '') return this.#wrong(`it ends too early: ${wanted} is missing`);
    if (rest === '//' || rest === '/*' || rest[0] === '#') {
      return this.#wrong('JSON has no comments: remove this one');
    }
    if (rest[0] === "'") return this.#wrong('write texts and keys in double quotes');
    const word = this.#match(WORD);
    if (word === 'NaN' || word === 'Infinity') return this.#wrong(`JSON has no ${word}`);
    return this.#wrong(`${wanted} is expected here`);
  }

  #wrong(what: string, index = this.#index): Wrong {
    return { at: this.#positionOf(index), what };
  }

  #positionOf(index: number): TextPosition {
    this.#lines ??= lineStarts(this.#text);
    let [low, high] = [0, this.#lines.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#lines[middle] ?? 0) <= index) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: index - (this.#lines[low] ?? 0) + 1 };
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#index;
    return pattern.exec(this.#text)?.[0];
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#index;
    if (pattern.test(this.#text)) this.#index = pattern.lastIndex;
  }
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (const { index } of text.matchAll(/\n/g)) starts.push(index + 1);
  return starts;
}
