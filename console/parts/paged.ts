import { useState } from 'preact/hooks';

/** The pages of a list that the API gives page by page. */
export interface Pages {
  /** What to give as `after`; undefined: the first page. */
  readonly after: string | undefined;
  /** From 1. */
  readonly number: number;
  forward(next: string): void;
  back(): void;
}

/** Remembers the way through a list. Another `filter` begins at the first page. */
export function usePages(filter: string): Pages {
  const [way, setWay] = useState<{ readonly filter: string; readonly afters: readonly string[] }>({
    filter,
    afters: [],
  });
  const afters = way.filter === filter ? way.afters : [];
  return {
    after: afters.at(-1),
    number: afters.length + 1,
    forward: (next) => setWay({ filter, afters: [...afters, next] }),
    back: () => setWay({ filter, afters: afters.slice(0, -1) }),
  };
}

/** A route of the API with the parameters that have a value. */
export function routeWith(route: string, query: Readonly<Record<string, string | undefined>>): string {
  const entries = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return entries.length === 0 ? route : `${route}?${new URLSearchParams(entries).toString()}`;
}
