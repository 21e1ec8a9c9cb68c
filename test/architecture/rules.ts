/** A row of the table "Who may import what" in `docs/architecture.md`. */
export interface Row {
  /** A folder or a file, such as `src/fleet`. */
  readonly room: string;
  readonly mayImport: readonly string[];
}

/** A row of the table "Packages": a package, and the only folders that may import it. */
export interface PackageRow {
  readonly name: string;
  readonly onlyIn: readonly string[];
}

/** Reads the table below a heading: the cells of its rows, without the header. */
export function tableBelow(markdown: string, heading: string): readonly (readonly string[])[] {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start === -1) throw new Error(`no heading "${heading}"`);
  const rest = lines.slice(start + 1);
  const begin = rest.findIndex((line) => line.startsWith('|'));
  const length = rest.slice(begin).findIndex((line) => !line.startsWith('|'));
  return rest.slice(begin + 2, length === -1 ? undefined : begin + length).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The names in backticks of a cell. */
export function namesIn(cell: string | undefined): readonly string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

/** The row of a file: of the room with the longest path that holds it. */
export function rowOf(file: string, rows: readonly Row[]): Row | undefined {
  return rows
    .filter(({ room }) => isIn(file, room))
    .sort((one, other) => other.room.length - one.room.length)[0];
}

export function isIn(file: string, room: string): boolean {
  return file === room || file.startsWith(`${room}/`);
}
