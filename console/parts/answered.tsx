import type { ComponentChildren } from 'preact';
import type { KnownAnswer } from '../api/berth.ts';
import { DataTable, type TableColumn } from './data-table.tsx';
import { Empty, Loading } from './section.tsx';

/** What the API has answered; until then that it is read, or why there is no answer. */
export function Answered<Body>({
  answer: { body, problem },
  what,
  children,
}: {
  readonly answer: KnownAnswer<Body>;
  /** What is read, for `Reading the devices …`. */
  readonly what: string;
  children(body: Body): ComponentChildren;
}) {
  if (body !== undefined) return <>{children(body)}</>;
  return problem === undefined ? <Loading what={what} /> : <Empty title={problem.message} />;
}

/** A list that the API has answered, as a table; `empty` where it has no rows. */
export function AnsweredTable<Body, Row>({
  answer,
  what,
  rowsOf,
  empty,
  label,
  columns,
  keyOf,
}: {
  readonly answer: KnownAnswer<Body>;
  readonly what: string;
  rowsOf(body: Body): readonly Row[];
  /** Why there is nothing, and what to do. */
  readonly empty: ComponentChildren;
  /** What the table lists, for screen readers. */
  readonly label: string;
  readonly columns: readonly TableColumn<Row>[];
  keyOf(row: Row): string;
}) {
  return (
    <Answered answer={answer} what={what}>
      {(body) => {
        const rows = rowsOf(body);
        return rows.length === 0 ? (
          empty
        ) : (
          <DataTable label={label} rows={rows} columns={columns} keyOf={keyOf} />
        );
      }}
    </Answered>
  );
}
