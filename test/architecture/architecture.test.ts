import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { circlesIn, type Import, importsOf, sourceFiles } from './imports.ts';
import { isIn, namesIn, type PackageRow, type Row, rowOf, tableBelow } from './rules.ts';

const ROOT = join(import.meta.dirname ?? __dirname, '..', '..');
const ARCHITECTURE = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
const ROWS: readonly Row[] = tableBelow(ARCHITECTURE, 'Who may import what').map(([room, , mayImport]) => ({
  room: namesIn(room)[0] ?? '',
  mayImport: namesIn(mayImport),
}));
const PACKAGES: readonly PackageRow[] = tableBelow(ARCHITECTURE, 'Packages').map(([name, onlyIn]) => ({
  name: namesIn(name)[0] ?? '',
  onlyIn: namesIn(onlyIn),
}));
const FILES = sourceFiles(ROOT, ['src', 'local', 'console']);
const IMPORTS = importsOf(ROOT, FILES);

/** Why an import is not allowed; undefined: it is. */
function problemOf({ from, to, isPackage }: Import): string | undefined {
  if (isPackage) {
    const row = PACKAGES.find(({ name }) => to === name || to.startsWith(`${name}/`));
    return row === undefined || row.onlyIn.some((room) => isIn(from, room))
      ? undefined
      : `${from} imports the package ${row.name}, which only ${row.onlyIn.join(', ')} may`;
  }
  const row = rowOf(from, ROWS);
  if (row === undefined) return `${from} lies in no room of the table`;
  const isAllowed = isIn(to, row.room) || row.mayImport.some((room) => isIn(to, room));
  return isAllowed ? undefined : `${from} imports ${to}, which ${row.room} may not`;
}

const DECLARATION =
  /^export (?:declare )?(?:const|let|async function\*?|function\*?|type|interface|class|enum) (\w+)/gm;

/** The files that declare an exported name, for each name that more than one file declares. */
function declaredTwice(): readonly string[] {
  const files = new Map<string, string[]>();
  for (const file of FILES)
    for (const [, name = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(DECLARATION))
      files.set(name, [...(files.get(name) ?? []), file]);
  return [...files].flatMap(([name, declaring]) =>
    new Set(declaring).size > 1 ? [`${name}: ${declaring.join(', ')}`] : [],
  );
}

describe('the architecture that docs/architecture.md describes', () => {
  test('docs/architecture.md has a row for each folder of src, local and console, and no row for a folder that does not exist', () => {
    const used = new Set(FILES.flatMap((file) => rowOf(file, ROWS)?.room ?? []));

    expect(ROWS.map(({ room }) => room).filter((room) => !used.has(room))).toEqual([]);
    expect(FILES.filter((file) => rowOf(file, ROWS) === undefined)).toEqual([]);
  });

  test('every import follows the table of docs/architecture.md', () => {
    expect(IMPORTS.flatMap((each) => problemOf(each) ?? [])).toEqual([]);
  });

  test('the table of docs/architecture.md allows only imports that exist', () => {
    const unused = ROWS.flatMap(({ room, mayImport }) =>
      mayImport
        .filter(
          (other) => !IMPORTS.some(({ from, to }) => rowOf(from, ROWS)?.room === room && isIn(to, other)),
        )
        .map((other) => `${room} may import ${other}, and does not`),
    );

    expect(unused).toEqual([]);
  });

  test('lets only the instance open hubs, and commands with the sign-in of the operator, so that every call of the app has a permit and is watched and redacted', () => {
    const opening = IMPORTS.filter(({ from, to }) => to === 'src/hub/iot-hubs.ts' && isIn(from, 'src'));

    expect(opening.map(({ from }) => from)).toEqual([
      'src/cli/shell/operator-hubs.ts',
      'src/instance/instance.ts',
    ]);
  });

  test('the console takes only types from src, so that nothing of the functions is in its bundle', () => {
    const outside = FILES.filter((file) => isIn(file, 'console')).flatMap((file) =>
      readFileSync(join(ROOT, file), 'utf8')
        .split(/;\n/)
        .filter(
          (statement) =>
            /from\s+'[^']*\/src\//.test(statement) && !/\b(import|export) type\b/.test(statement),
        ),
    );

    expect(outside).toEqual([]);
  });

  test('every exported name is declared in one file only', () => {
    expect(declaredTwice()).toEqual([]);
  });

  test('no files or folders import each other in a circle', () => {
    expect(circlesIn(IMPORTS)).toEqual([]);
  });
});

describe('the checks of the architecture', () => {
  const imports = (...pairs: readonly (readonly [string, string])[]): readonly Import[] =>
    pairs.map(([from, to]) => ({ from, to, isPackage: false }));

  test('the check finds circles of files, of folders, and of a file and a folder', () => {
    expect(circlesIn(imports(['a/x.ts', 'a/y.ts'], ['a/y.ts', 'a/x.ts']))).toMatchObject([
      { folder: 'a', members: ['x.ts', 'y.ts'] },
    ]);
    expect(circlesIn(imports(['a/x.ts', 'b/y.ts'], ['b/z.ts', 'a/w.ts']))).toMatchObject([
      { folder: '', members: ['a', 'b'] },
    ]);
    expect(circlesIn(imports(['a/b/x.ts', 'a/y.ts'], ['a/y.ts', 'a/b/z.ts']))).toMatchObject([
      { folder: 'a', members: ['b', 'y.ts'] },
    ]);
    expect(circlesIn(imports(['a/x.ts', 'b/y.ts'], ['b/y.ts', 'c/z.ts']))).toEqual([]);
  });

  test('the check finds an import that the table does not allow', () => {
    expect(problemOf({ from: 'src/json/json.ts', to: 'src/fleet/fleet.ts', isPackage: false })).toBe(
      'src/json/json.ts imports src/fleet/fleet.ts, which src/json may not',
    );
    expect(problemOf({ from: 'src/sync/x.ts', to: 'azure-iothub', isPackage: true })).toMatch(
      /which only src\/hub may/,
    );
    expect(
      problemOf({ from: 'local/iot-hub/x.ts', to: 'src/iot-hub/twin-limits.ts', isPackage: false }),
    ).toMatch(/which local may not/);
  });
});
