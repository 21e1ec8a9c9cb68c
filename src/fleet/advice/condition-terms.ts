import type { ASTNode } from '@marcbachmann/cel-js';
import type { JsonObject, JsonValue } from '../../json/json.ts';
import { objectOf } from '../../json/json.ts';
import { children } from '../expressions/expression-check.ts';

/** A text, number or boolean that a condition compares with. */
export type Scalar = string | number | boolean;

/** The parts of a condition that show which inputs to try. */
export interface ConditionTerms {
  /** Each path of a variable that it reads or tests, such as `payload.?site` and `'site' in payload`. */
  readonly paths: readonly ConditionPath[];
  /** All values that it compares with, and texts that may be keys. */
  readonly scalars: readonly Scalar[];
  /** Literal lists and objects. */
  readonly collections: readonly JsonValue[];
  /**
   * Paths that it reads in the items of a list: `['country']` in `payload.sites.exists(s, s.country == 'DE')`
   * and in `payload.sites[0].country`.
   */
  readonly itemPaths: readonly (readonly string[])[];
}

export interface ConditionPath {
  readonly path: readonly string[];
  /** The values in the same comparison. */
  readonly beside: readonly Scalar[];
}

/** @param variables names of the variables; all other names belong to items of loops */
export function termsOf(root: ASTNode, variables: ReadonlySet<string>): ConditionTerms {
  const paths = new Map<string, { readonly path: readonly string[]; readonly beside: Set<Scalar> }>();
  const itemPaths = new Map<string, readonly string[]>();
  const scalars = new Set<Scalar>();
  const collections: JsonValue[] = [];

  for (const comparison of comparisonsIn(root)) {
    const beside = new Set<Scalar>();
    const add = (path: readonly string[]) => {
      const [variable = '', ...below] = path;
      const key = path.join('\n');
      if (variables.has(variable)) {
        const before = paths.get(key)?.beside ?? [];
        paths.set(key, { path, beside: new Set([...before, ...beside]) });
      } else if (below.length > 0) itemPaths.set(below.join('\n'), below);
    };
    const nodes = [...nodesIn(comparison)];
    for (const constant of nodes.map(constantOf)) {
      if (constant === undefined || constant === null) continue;
      if (typeof constant === 'object') collections.push(constant);
      else beside.add(constant);
    }
    for (const node of nodes) {
      const path = chainOf(node);
      if (path !== undefined) add(path);
      const below = belowAnIndex(node);
      if (below.length > 0) itemPaths.set(below.join('\n'), below);
      if (node.op !== 'in') continue;
      const [item, collection] = node.args;
      const within = chainOf(collection);
      if (item.op === 'value' && typeof item.args === 'string' && within !== undefined) {
        add([...within, item.args]);
      }
    }
    for (const scalar of beside) scalars.add(scalar);
  }
  return {
    paths: [...paths.values()].map(({ path, beside }) => ({ path, beside: [...beside] })),
    scalars: [...scalars],
    collections,
    itemPaths: [...itemPaths.values()],
  };
}

/** The operands of `&&`, `||`, `?:` and `!` in a condition. */
function comparisonsIn(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case '&&':
    case '||':
    case '?:':
      return node.args.flatMap(comparisonsIn);
    case '!_':
      return comparisonsIn(node.args);
    default:
      return [node];
  }
}

/** A node and all nodes below it. A path is one node. */
function* nodesIn(node: ASTNode): Generator<ASTNode> {
  yield node;
  if (chainOf(node) !== undefined) return;
  for (const child of children(node)) yield* nodesIn(child);
}

/** `payload.site['name']`, also `payload.?site`, as a path; undefined for anything else. */
export function chainOf(node: ASTNode): readonly string[] | undefined {
  switch (node.op) {
    case 'id':
      return [node.args];
    case '.':
    case '.?': {
      const before = chainOf(node.args[0]);
      return before === undefined ? undefined : [...before, node.args[1]];
    }
    case '[]':
    case '[?]': {
      const [target, key] = node.args;
      const before = chainOf(target);
      if (before === undefined || key.op !== 'value' || typeof key.args !== 'string') return undefined;
      return [...before, key.args];
    }
    default:
      return undefined;
  }
}

/** `['country']` of `payload.sites[0].country`; empty if the path has no number. */
function belowAnIndex(node: ASTNode): readonly string[] {
  const keys: string[] = [];
  let at = node;
  while (at.op === '.' || at.op === '[]') {
    const [target, key] = at.args;
    const name = typeof key === 'string' ? key : constantOf(key);
    if (typeof name === 'number') return keys.reverse();
    if (typeof name !== 'string') return [];
    keys.push(name);
    at = target;
  }
  return [];
}

/** The value of a literal node, such as `['DE', -1]` or `{'a': 1}`; undefined for other nodes. */
export function constantOf(node: ASTNode): JsonValue | undefined {
  switch (node.op) {
    case 'value': {
      const value: unknown =
        typeof node.args === 'object' && node.args !== null ? node.args.valueOf() : node.args;
      if (typeof value === 'bigint') return Number(value);
      const isScalar =
        value === null ||
        typeof value === 'string' ||
        typeof value === 'number' ||
        typeof value === 'boolean';
      return isScalar ? value : undefined;
    }
    case '-_': {
      const value = constantOf(node.args);
      return typeof value === 'number' ? -value : undefined;
    }
    case '+': {
      const [left, right] = [constantOf(node.args[0]), constantOf(node.args[1])];
      if (typeof left === 'string' && typeof right === 'string') return left + right;
      if (typeof left === 'number' && typeof right === 'number') return left + right;
      return isList(left) && isList(right) ? [...left, ...right] : undefined;
    }
    case 'list': {
      const items = node.args.map(constantOf);
      return items.includes(undefined) ? undefined : (items as JsonValue[]);
    }
    case 'map':
      return objectFrom(node.args);
    default:
      return undefined;
  }
}

function objectFrom(entries: readonly (readonly [ASTNode, ASTNode])[]): JsonObject | undefined {
  const members: (readonly [string, JsonValue])[] = [];
  for (const [key, value] of entries) {
    const [name, member] = [constantOf(key), constantOf(value)];
    if (typeof name !== 'string' || member === undefined) return undefined;
    members.push([name, member]);
  }
  return objectOf(members);
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
