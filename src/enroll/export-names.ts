import { sha256Hex } from '../json/hash.ts';

/** The first length of the part that makes equal names different, in hexadecimal digits. */
const SHORTEST_PART = 8;

/**
 * A name for each id. Ids whose names would be equal, or differ only in case, get a part of their hash behind it: many file
 * systems ignore case. The names do not depend on the order of the ids.
 *
 * @param nameOf the name of an id, which may be that of other ids too
 * @returns the names by id
 */
export function uniqueNames(
  ids: readonly string[],
  nameOf: (id: string) => string,
): ReadonlyMap<string, string> {
  const sharing = new Map<string, number>();
  for (const id of ids) {
    const name = nameOf(id).toLowerCase();
    sharing.set(name, (sharing.get(name) ?? 0) + 1);
  }
  const taken = new Set(sharing.keys());
  const names = new Map<string, string>();
  for (const id of ids.toSorted()) {
    const name = nameOf(id);
    const isAlone = sharing.get(name.toLowerCase()) === 1;
    const unique = isAlone ? name : withHash(name, id, taken);
    taken.add(unique.toLowerCase());
    names.set(id, unique);
  }
  return names;
}

function withHash(name: string, id: string, taken: ReadonlySet<string>): string {
  const hash = sha256Hex(id);
  for (let length = SHORTEST_PART; length < hash.length; length += 1) {
    const longer = `${name}_${hash.slice(0, length)}`;
    if (!taken.has(longer.toLowerCase())) return longer;
  }
  return `${name}_${hash}`;
}
