import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { globSync } from 'tinyglobby';

/** One import of a source file: of another file of the project, or of a package. */
export interface Import {
  /** Paths from the root of the project, such as `src/fleet/fleet.ts`. */
  readonly from: string;
  readonly to: string;
  readonly isPackage: boolean;
}

/** `import … from '…'`, `export … from '…'`, `import('…')` and `import '…'`. */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*)'([^'\n]+)'/g;

/** The source files below these folders, by their paths from the root. */
export function sourceFiles(root: string, folders: readonly string[]): readonly string[] {
  const patterns = folders.map((folder) => `${folder}/**/*.{ts,tsx}`);
  return globSync(patterns, { cwd: root }).sort();
}

/** All imports of these files. */
export function importsOf(root: string, files: readonly string[]): readonly Import[] {
  return files.flatMap((from) => {
    const text = readFileSync(join(root, from), 'utf8');
    return [...text.matchAll(SPECIFIER)].map(([, specifier = '']) => {
      const isPackage = !specifier.startsWith('.');
      return { from, to: isPackage ? specifier : join(dirname(from), specifier), isPackage };
    });
  });
}

/** Files and folders that lie directly in one folder and import each other in a circle. */
export interface Circle {
  readonly folder: string;
  readonly members: readonly string[];
  /** Imports between the members. */
  readonly imports: readonly string[];
}

/**
 * Circles among the children of each folder: a file counts for itself, a sub-folder as one. So two folders that import each other
 * are a circle, and so is a file that imports a folder which imports the file.
 */
export function circlesIn(imports: readonly Import[]): readonly Circle[] {
  const folders = new Map<string, [from: string, to: string, text: string][]>();
  for (const { from, to, isPackage } of imports) {
    if (isPackage) continue;
    const [above, here, there] = whereTheyPart(from.split('/'), to.split('/'));
    if (here === undefined || there === undefined) continue;
    const edges = folders.get(above) ?? [];
    edges.push([here, there, `${from} imports ${to}`]);
    folders.set(above, edges);
  }
  return [...folders].flatMap(([folder, edges]) =>
    components(edges.map(([from, to]) => [from, to] as const))
      .filter((members) => members.length > 1)
      .map((members) => ({
        folder,
        members,
        imports: edges
          .filter(([from, to]) => members.includes(from) && members.includes(to))
          .map(([, , text]) => text),
      })),
  );
}

function whereTheyPart(
  from: readonly string[],
  to: readonly string[],
): readonly [folder: string, from: string | undefined, to: string | undefined] {
  let depth = 0;
  while (from[depth] !== undefined && from[depth] === to[depth]) depth += 1;
  return [from.slice(0, depth).join('/'), from[depth], to[depth]];
}

/** Strongly connected components: all that reach each other. */
function components(edges: readonly (readonly [string, string])[]): readonly (readonly string[])[] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) next.set(from, (next.get(from) ?? new Set()).add(to));
  const reached = new Map([...next.keys()].map((node) => [node, reachable(node, next)]));
  const done = new Set<string>();
  return [...next.keys()].flatMap((node) => {
    if (done.has(node)) return [];
    const members = [node, ...next.keys()].filter(
      (other, index) =>
        index === 0 ||
        (other !== node && reached.get(node)?.has(other) === true && reached.get(other)?.has(node) === true),
    );
    for (const member of members) done.add(member);
    return [members];
  });
}

function reachable(start: string, next: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [start];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const other of next.get(node) ?? []) {
      if (found.has(other)) continue;
      found.add(other);
      open.push(other);
    }
  }
  return found;
}
