/** A step of a path: a member, or a member and an element of its list. */
export interface PathStep {
  readonly name: string;
  readonly index: number | undefined;
}

export type HubConditionOperator =
  | 'or'
  | 'and'
  | '??'
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '+'
  | '-'
  | '||'
  | '*'
  | '/'
  | '%';

/** A parsed condition of a route. */
export type HubCondition =
  | { readonly kind: 'constant'; readonly value: string | number | boolean | null | undefined }
  /** A property of the application. */
  | { readonly kind: 'property'; readonly name: string }
  /** `$name`: a system property, or else a property of the application whose name begins with `$`. */
  | { readonly kind: 'system'; readonly name: string }
  | { readonly kind: 'body'; readonly path: readonly PathStep[] }
  | { readonly kind: 'twin'; readonly path: readonly PathStep[] }
  /** The name is in lower case. */
  | { readonly kind: 'call'; readonly name: string; readonly operands: readonly HubCondition[] }
  | { readonly kind: 'not' | 'negate'; readonly operand: HubCondition }
  | {
      readonly kind: 'binary';
      readonly operator: HubConditionOperator;
      readonly left: HubCondition;
      readonly right: HubCondition;
    };
