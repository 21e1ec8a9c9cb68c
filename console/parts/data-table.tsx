import type { ComponentChildren } from 'preact';
import { Term } from './term.tsx';

export interface TableColumn<Row> {
  readonly title: string;
  /** What the column shows, in a sentence. */
  readonly explain?: string;
  readonly isNumber?: boolean;
  /** Its cells get the room that is left. */
  readonly isWide?: boolean;
  /** Text that the heading does not show. */
  readonly hideTitle?: boolean;
  cell(row: Row): ComponentChildren;
}

/**
 * A table that becomes a list of cards on a narrow screen. The arrow keys, j and k move between its rows
 * (`shell/keyboard.ts`): a row gives the focus to its link, if it has one.
 */
export function DataTable<Row>({
  label,
  columns,
  rows,
  keyOf,
}: {
  /** What the table lists, for screen readers. */
  readonly label: string;
  readonly columns: readonly TableColumn<Row>[];
  readonly rows: readonly Row[];
  keyOf(row: Row): string;
}) {
  return (
    <div class="table-frame">
      <table class="table">
        <caption class="visually-hidden">{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={classOf(column)}>
                <Heading column={column} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} data-row tabIndex={-1}>
              {columns.map((column) => (
                <td
                  key={column.title}
                  class={classOf(column)}
                  data-label={column.hideTitle ? undefined : column.title}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Heading({
  column,
}: {
  readonly column: Pick<TableColumn<never>, 'title' | 'explain' | 'hideTitle'>;
}) {
  const { title, explain, hideTitle } = column;
  if (hideTitle) return <span class="visually-hidden">{title}</span>;
  return explain === undefined ? <span>{title}</span> : <Term explain={explain}>{title}</Term>;
}

function classOf({ isNumber, isWide }: Pick<TableColumn<never>, 'isNumber' | 'isWide'>): string {
  return [isNumber && 'number', isWide && 'wide'].filter(Boolean).join(' ');
}
