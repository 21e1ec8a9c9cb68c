import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { children, type ExpressionRefusal } from './expression-check.ts';
import { WrongKind } from './expression-kinds.ts';

/** `oneOf(value, matching, others)`: a comparison with a closed list. */
export const ONE_OF = 'oneOf';

/**
 * Registers `oneOf`. It is true for a value in the first list, false for a value in the second list, and
 * unknown for all other values, so a device cannot invent a value that decides it
 * (docs/decisions/0019-closed-lists.md).
 */
export function registerOneOf(environment: Environment): void {
  environment.registerFunction(`${ONE_OF}(dyn, list, list): bool`, oneOf);
}

function oneOf(value: unknown, matching: unknown, others: unknown): boolean {
  const scalar = plain(value);
  if ((matching as readonly unknown[]).some((each) => plain(each) === scalar)) return true;
  if ((others as readonly unknown[]).some((each) => plain(each) === scalar)) return false;
  throw new WrongKind(`a value that ${ONE_OF} does not list`);
}

/** Converts all kinds of numbers of CEL to one. */
function plain(value: unknown): unknown {
  const primitive: unknown = typeof value === 'object' && value !== null ? value.valueOf() : value;
  return typeof primitive === 'bigint' ? Number(primitive) : primitive;
}

/**
 * What is wrong with the lists of `oneOf`; undefined if nothing is. Each list must be a literal list of
 * texts, numbers, true and false, and no value may be in both. A list from a device would let the device
 * decide.
 */
export function oneOfProblem(node: ASTNode): ExpressionRefusal | undefined {
  const own = node.op === 'call' && node.args[0] === ONE_OF ? listsProblem(node.args[1]) : undefined;
  if (own !== undefined) return { why: own, at: node.range.start };
  for (const child of children(node)) {
    const problem = oneOfProblem(child);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function listsProblem([, matching, others]: readonly ASTNode[]): string | undefined {
  if (matching === undefined || others === undefined) {
    return `\`${ONE_OF}\` needs a value, the list of values that match, and the list of all other values: write oneOf(payload.country, ['DE', 'FR'], ['US', 'SG'])`;
  }
  const [first, second] = [constantsOf(matching), constantsOf(others)];
  if (first === undefined || second === undefined || first.length === 0 || second.length === 0) {
    return `write both lists of \`${ONE_OF}\` as literals, each with at least one text, number, true or false`;
  }
  const shared = first.find((each) => second.includes(each));
  return shared === undefined
    ? undefined
    : `${JSON.stringify(shared)} is in both lists of \`${ONE_OF}\`: remove it from one`;
}

function constantsOf(node: ASTNode): readonly (string | number | boolean)[] | undefined {
  if (node.op !== 'list') return undefined;
  const values = node.args.map(constantOf);
  return values.includes(undefined) ? undefined : (values as (string | number | boolean)[]);
}

function constantOf(node: ASTNode): string | number | boolean | undefined {
  if (node.op === '-_') {
    const value = constantOf(node.args);
    return typeof value === 'number' ? -value : undefined;
  }
  if (node.op !== 'value') return undefined;
  const value = plain(node.args);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : undefined;
}
