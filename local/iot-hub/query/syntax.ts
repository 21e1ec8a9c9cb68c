import type { JsonValue } from '../../../src/json/json.ts';

/*
 * The syntax tree of the query language (iot-hub-devguide-query-language.md).
 */

/** The keys that lead to a value in a document. @example ['tags', 'site'] */
export type Path = readonly string[];

/** The result of an expression; undefined where a document does not have the value. */
export type QueryValue = JsonValue | undefined;

export type BinaryOperator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | 'and'
  | 'or';

export type QueryExpression =
  | { readonly kind: 'constant'; readonly value: QueryValue }
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'not' | 'negative'; readonly of: QueryExpression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: QueryExpression;
      readonly right: QueryExpression;
    }
  | {
      readonly kind: 'in';
      readonly isNegated: boolean;
      readonly of: QueryExpression;
      readonly list: readonly QueryExpression[];
    }
  | { readonly kind: 'call'; readonly name: string; readonly parameters: readonly QueryExpression[] };

/** An aggregate of the rows of a group. COUNT has no path. */
export type Aggregate =
  | { readonly name: 'count' }
  | { readonly name: 'avg' | 'sum' | 'min' | 'max'; readonly path: Path };

/** A column of the result, with its name there. */
export type QueryColumn =
  | { readonly kind: 'path'; readonly path: Path; readonly name: string }
  | { readonly kind: 'aggregate'; readonly aggregate: Aggregate; readonly name: string };

export type Collection = 'devices' | 'devices.modules' | 'devices.jobs';

export interface Query {
  /** Most rows of all pages together; undefined: no limit. */
  readonly top: number | undefined;
  /** undefined: whole documents (`*`). */
  readonly columns: readonly QueryColumn[] | undefined;
  readonly from: Collection;
  readonly where: QueryExpression | undefined;
  readonly groupBy: readonly Path[];
}
