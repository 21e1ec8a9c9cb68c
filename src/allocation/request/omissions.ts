import type { Omission } from '../../fleet/expressions/template.ts';

/** A device may send a thousand values that cannot be used; this many are named. */
const MAX_NAMED = 20;
/** Keys may be chosen by a device. */
const MAX_KEY = 64;

/** What was left out of a twin or an answer, and why: the first ones, and how many more. */
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
