import { isObject, type JsonValue, setMember } from '../../json/json.ts';
import {
  compileExpression,
  type Expression,
  type ExpressionScope,
  type Omission,
  type Variables,
} from './expression.ts';
import type { ExpressionWork } from './expression-work.ts';

/**
 * JSON whose texts may be expressions: `"=payload.site"` is an expression, `"==x"` is the text `=x`.
 */
export type Template =
  | { readonly kind: 'literal'; readonly value: JsonValue }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'array'; readonly items: readonly Template[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, Template])[] };

export type { Omission } from './expression.ts';

export interface TemplateProblem {
  readonly path: readonly string[];
  readonly problem: string;
}

/** Compiles a template. Refused expressions are added to `problems` and become null. */
export function compileTemplate(
  json: JsonValue,
  scope: ExpressionScope,
  problems: TemplateProblem[],
  path: readonly string[] = [],
): Template {
  if (typeof json === 'string' && json.startsWith('=')) {
    if (json.startsWith('==')) return { kind: 'literal', value: json.slice(1) };
    const compiled = compileExpression(json.slice(1), scope);
    if (compiled.ok) return { kind: 'expression', expression: compiled.expression };
    problems.push({ path, problem: compiled.problem });
    return { kind: 'literal', value: null };
  }
  if (Array.isArray(json)) {
    return {
      kind: 'array',
      items: json.map((item, index) => compileTemplate(item, scope, problems, [...path, String(index)])),
    };
  }
  if (isObject(json)) {
    return {
      kind: 'object',
      members: Object.entries(json).map(([key, member]) => [
        key,
        compileTemplate(member, scope, problems, [...path, key]),
      ]),
    };
  }
  return { kind: 'literal', value: json };
}

/**
 * Computes the value of a template. A path whose expression is unknown, or whose value is too large, is left
 * out and added to `omissions`. An array with such an item is left out completely, because its other items
 * would change their index. Undefined if nothing is left.
 */
export function fillTemplate(
  template: Template,
  variables: Variables,
  omissions: Omission[],
  work?: ExpressionWork,
  path: readonly string[] = [],
): JsonValue | undefined {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'expression':
      return computed(template.expression, variables, omissions, work, path);
    case 'array': {
      const items = template.items.map((item, index) =>
        fillTemplate(item, variables, omissions, work, [...path, String(index)]),
      );
      return items.includes(undefined) ? undefined : (items as JsonValue[]);
    }
    case 'object': {
      const filled: Record<string, JsonValue> = {};
      let count = 0;
      for (const [key, member] of template.members) {
        const value = filledMember(key, member, variables, omissions, work, path);
        if (value === undefined) continue;
        setMember(filled, key, value);
        count += 1;
      }
      // An object whose members are all left out is left out too: it must not replace another object.
      const isUnknown = count === 0 && template.members.length > 0 && path.length > 0;
      return isUnknown ? undefined : filled;
    }
  }
}

/** As `fillTemplate`, without the path of the member where none is needed. */
function filledMember(
  key: string,
  member: Template,
  variables: Variables,
  omissions: Omission[],
  work: ExpressionWork | undefined,
  path: readonly string[],
): JsonValue | undefined {
  switch (member.kind) {
    case 'literal':
      return member.value;
    case 'expression':
      return computed(member.expression, variables, omissions, work, path, key);
    default:
      return fillTemplate(member, variables, omissions, work, [...path, key]);
  }
}

function computed(
  expression: Expression,
  variables: Variables,
  omissions: Omission[],
  work: ExpressionWork | undefined,
  above: readonly string[],
  key?: string,
): JsonValue | undefined {
  const result = expression.evaluate(variables, work);
  if (result.known && result.omitted === undefined) return result.value;
  const path = key === undefined ? above : [...above, key];
  if (!result.known) {
    omissions.push({ path, why: result.why });
    return undefined;
  }
  for (const each of result.omitted ?? []) omissions.push({ path: [...path, ...each.path], why: each.why });
  return result.value;
}

/** Every path of a variable that the expressions of a template read. */
export function templateReads(template: Template): readonly (readonly string[])[] {
  switch (template.kind) {
    case 'literal':
      return [];
    case 'expression':
      return template.expression.reads;
    case 'array':
      return template.items.flatMap(templateReads);
    case 'object':
      return template.members.flatMap(([, member]) => templateReads(member));
  }
}
