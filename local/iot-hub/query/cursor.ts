import { invalidQuery, type Token } from './tokens.ts';

/** Reads the tokens of a query one after the other. All its methods throw a `HubRefusal` `ArgumentInvalid`. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  /** The token after `peek`. */
  get following(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }

  next(): Token {
    const token = this.peek;
    if (token === undefined) throw invalidQuery('the query ends too early');
    this.#at += 1;
    return token;
  }

  /** Reads the next token if it is this symbol or, in any case, this keyword. Returns whether it is. */
  take(text: string): boolean {
    const isNext = this.isNext(text);
    if (isNext) this.#at += 1;
    return isNext;
  }

  isNext(text: string): boolean {
    const token = this.peek;
    return (token?.kind === 'word' || token?.kind === 'symbol') && token.text.toLowerCase() === text;
  }

  expect(text: string): void {
    if (this.take(text)) return;
    const found = this.peek;
    const where = found === undefined ? 'at the end' : `before ${found.text.slice(0, 40)}`;
    throw invalidQuery(`${text.toUpperCase()} is expected ${where}`);
  }

  /** Items with commas between them. */
  list<Item>(read: (cursor: TokenCursor) => Item): Item[] {
    const items = [read(this)];
    while (this.take(',')) items.push(read(this));
    return items;
  }

  end(): void {
    if (this.peek !== undefined) throw invalidQuery(`unexpected ${this.peek.text.slice(0, 40)}`);
  }
}
