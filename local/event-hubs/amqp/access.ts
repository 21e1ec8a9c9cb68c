/** What one connection may use: everything (its key was checked by SASL), or what its tokens are for. */
export class Access {
  readonly #now: () => number;
  /** The expiry of the newest token of each event hub in lower case; '' is the whole namespace. */
  readonly #expiries = new Map<string, number>();
  #isWhole = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  grantAll(): void {
    this.#isWhole = true;
  }

  /** @param hub undefined: the whole namespace. @param expires milliseconds since the epoch. */
  grant(hub: string | undefined, expires: number): void {
    this.#expiries.set((hub ?? '').toLowerCase(), expires);
  }

  allows(hub: string): boolean {
    if (this.#isWhole) return true;
    return ['', hub.toLowerCase()].some((name) => (this.#expiries.get(name) ?? 0) > this.#now());
  }
}
