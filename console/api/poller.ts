import type { ApiAnswer, Problem } from './client.ts';

/** What is known of one address of the API. */
export interface Resource {
  /** The last answer; it stays while the API does not answer. */
  readonly body: unknown;
  /** When the API last confirmed it, ms since the epoch; undefined: never. */
  readonly at: number | undefined;
  /** Why Berth refuses the request now. */
  readonly problem: Problem | undefined;
}

/** Whether the API answers at all. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly at: number }
  | { readonly kind: 'unreachable'; readonly since: number; readonly why: string }
  | { readonly kind: 'unauthorized' }
  | { readonly kind: 'signedOut' };

/** What the poller needs of its surroundings. Times in ms. */
export interface PollerParts {
  get(address: string, etag: string | undefined): Promise<ApiAnswer>;
  now(): number;
  /** Runs a function once, later; returns a function that prevents it. */
  later(run: () => void, ms: number): () => void;
  /** Whether the reader sees the page. */
  isVisible(): boolean;
}

/** So often an address is asked for. */
export const POLL_MS = 5_000;

const EMPTY: Resource = { body: undefined, at: undefined, problem: undefined };

interface Watched {
  resource: Resource;
  etag: string | undefined;
  readonly listeners: Set<() => void>;
  isAsking: boolean;
  cancel: () => void;
}

/**
 * Keeps the answers of some addresses fresh: each is asked for every five seconds while a page shows it and the tab is
 * visible, with the ETag of the answer before.
 */
export class Poller {
  readonly #parts: PollerParts;
  readonly #watched = new Map<string, Watched>();
  readonly #connectionListeners = new Set<() => void>();
  #connection: Connection = { kind: 'connecting' };

  constructor(parts: PollerParts) {
    this.#parts = parts;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** What is known of an address now. */
  read(address: string): Resource {
    return this.#watched.get(address)?.resource ?? EMPTY;
  }

  /** Calls back after each change of what is known of an address, until the returned function is called. */
  watch(address: string, listener: () => void): () => void {
    const watched = this.#watched.get(address) ?? newWatched();
    this.#watched.set(address, watched);
    watched.listeners.add(listener);
    if (watched.listeners.size === 1) this.#ask(address, watched);
    return () => {
      watched.listeners.delete(listener);
      if (watched.listeners.size > 0) return;
      watched.cancel();
      // A page that comes back begins with what it knew, for a while.
      this.#parts.later(() => this.#forget(address, watched), 12 * POLL_MS);
    };
  }

  watchConnection(listener: () => void): () => void {
    this.#connectionListeners.add(listener);
    return () => this.#connectionListeners.delete(listener);
  }

  /** Asks for everything that is watched now: after a change, a new key, or when the page is visible again. */
  refresh(): void {
    for (const [address, watched] of this.#watched) {
      if (watched.listeners.size > 0) this.#ask(address, watched);
    }
  }

  /** After a new key: what is shown may ask again. */
  reopen(): void {
    this.#setConnection({ kind: 'connecting' });
    this.refresh();
  }

  #forget(address: string, watched: Watched): void {
    if (watched.listeners.size === 0 && this.#watched.get(address) === watched) this.#watched.delete(address);
  }

  #ask(address: string, watched: Watched): void {
    watched.cancel();
    if (watched.isAsking) return;
    // A hidden page asks again when it is seen: `refresh`.
    if (!this.#parts.isVisible()) return;
    watched.isAsking = true;
    void this.#parts.get(address, watched.etag).then((answer) => {
      watched.isAsking = false;
      this.#take(answer, watched);
      if (watched.listeners.size > 0)
        watched.cancel = this.#parts.later(() => this.#ask(address, watched), POLL_MS);
    });
  }

  #take(answer: ApiAnswer, watched: Watched): void {
    const at = this.#parts.now();
    switch (answer.kind) {
      case 'ok':
        watched.etag = answer.etag;
        watched.resource = { body: answer.body, at, problem: undefined };
        break;
      case 'unchanged':
        watched.resource = { ...watched.resource, at, problem: undefined };
        break;
      case 'refused':
        watched.etag = undefined;
        watched.resource = { body: undefined, at, problem: answer.problem };
        break;
      default:
        break;
    }
    this.#setConnection(this.#connectionAfter(answer, at));
    for (const listener of watched.listeners) listener();
  }

  #connectionAfter(answer: ApiAnswer, at: number): Connection {
    switch (answer.kind) {
      case 'unreachable': {
        const since = this.#connection.kind === 'unreachable' ? this.#connection.since : at;
        return { kind: 'unreachable', since, why: answer.why };
      }
      case 'unauthorized':
      case 'signedOut':
        return { kind: answer.kind };
      default:
        return { kind: 'connected', at };
    }
  }

  #setConnection(connection: Connection): void {
    this.#connection = connection;
    for (const listener of this.#connectionListeners) listener();
  }
}

function newWatched(): Watched {
  return { resource: EMPTY, etag: undefined, listeners: new Set(), isAsking: false, cancel: () => {} };
}
