const NAME = 'berth-function-key';

/** Where the function key is while the tab is open. */
export interface KeyStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The function key that the reader has typed. It is kept until the tab is closed, and never in an address. */
export class FunctionKey {
  readonly #storage: KeyStorage;

  constructor(storage: KeyStorage) {
    this.#storage = storage;
  }

  read(): string | undefined {
    return this.#storage.getItem(NAME) ?? undefined;
  }

  keep(key: string): void {
    this.#storage.setItem(NAME, key.trim());
  }

  forget(): void {
    this.#storage.removeItem(NAME);
  }
}
