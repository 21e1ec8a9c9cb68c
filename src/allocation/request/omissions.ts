import type { Omission } from '../../fleet/expressions/template.ts';

/** The most omissions that are listed. A device can cause thousands. */
const MAX_NAMED = 20;
/** The longest key that is listed, because a device can choose keys. */
const MAX_KEY = 64;

/**
 * Values that were left out of a twin or an answer, with reasons: the first ones, and the number of further
 * ones.
 */
export class Omissions {
  readonly #named: Omission[] = [];
  #more = 0;

  add(path: readonly string[], why: string): void {
    if (this.#named.length < MAX_NAMED) {
      this.#named.push({ path: path.map((key) => key.slice(0, MAX_KEY)), why });
    } else this.#more += 1;
  }

  get list(): readonly Omission[] {
    return this.#more === 0
      ? this.#named
      : [...this.#named, { path: [], why: `${this.#more} more left out` }];
  }
}
