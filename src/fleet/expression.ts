import { type ASTNode, Environment, EvaluationError, serialize } from '@marcbachmann/cel-js';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';

/** What the two kinds of expressions in a fleet file may refer to, with their CEL types. */
const VARIABLES = {
  /** `allocation.rules`, `twins.initial`; layers and `allocation.payload` also see `hub`. */
  allocation: {
    registrationId: 'string',
    enrollment: 'map',
    attestation: 'map',
    payload: 'dyn',
    current: 'map',
    hub: 'map',
  },
  /** `twins.scope`, `twins.policies`. */
  twin: {
    deviceId: 'string',
    moduleId: 'dyn',
    hub: 'map',
    tags: 'map',
    desired: 'map',
    reported: 'map',
  },
} as const;

export type ExpressionScope = keyof typeof VARIABLES;

/**
 * A list longer than this makes a condition unknown: its length is chosen by a device, and every instance
 * pays for the loop.
 */
export const MAX_LIST = 1_000;
/** An expression larger than this is refused at load, for the same reason. */
const MAX_NODES = 200;
const MAX_DEPTH = 20;
const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);

/** Unknown: a key is missing, a type is wrong, a list is too long. Its reason is for receipts. */
export type Evaluation =
  | { readonly known: true; readonly value: JsonValue }
  | { readonly known: false; readonly why: string };

export interface Expression {
  readonly source: string;
  /** Each path of a variable that it reads, e.g. `['payload', 'country']`. */
  readonly reads: readonly (readonly string[])[];
  evaluate(variables: Variables): Evaluation;
}

export type Variables = Readonly<Record<string, JsonValue | undefined>>;

export type Compiled =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: string };

const environments = {
  allocation: createEnvironment('allocation'),
  twin: createEnvironment('twin'),
};

/**
 * Compiles a CEL expression, or says why it is refused: it does not parse, its types cannot fit, or a device
 * could stall the allocator with it (`matches`, a loop inside a loop, too many nodes, too deep).
 *
 * @example compileExpression("payload.country in ['DE', 'FR']", 'allocation')
 */
export function compileExpression(source: string, scope: ExpressionScope): Compiled {
  const environment = environments[scope];
  try {
    const program = environment.parse(source);
    const found = inspect(program.ast, new Set(Object.keys(VARIABLES[scope])));
    if (found.refusal !== undefined) return { ok: false, problem: found.refusal };
    const check = program.check();
    if (!check.valid) return { ok: false, problem: summary(check.error) };
    const lists = found.lists.map((list) => environment.parse(serialize(list)));
    return {
      ok: true,
      expression: {
        source,
        reads: found.reads,
        evaluate(variables) {
          try {
            for (const list of lists) {
              if (isTooLong(list, variables)) return { known: false, why: `a list over ${MAX_LIST} items` };
            }
            return plain(program(variables));
          } catch (error) {
            return { known: false, why: summary(error) };
          }
        },
      },
    };
  } catch (error) {
    return { ok: false, problem: summary(error) };
  }
}

/**
 * A condition's value: true, false, or why it is unknown (also when it gives something that is not a
 * boolean).
 */
export function evaluateCondition(
  expression: Expression,
  variables: Variables,
): boolean | { readonly unknown: string } {
  const result = expression.evaluate(variables);
  if (!result.known) return { unknown: result.why };
  if (typeof result.value === 'boolean') return result.value;
  return { unknown: `gives ${JSON.stringify(result.value)?.slice(0, 60)}, not true or false` };
}

function createEnvironment(scope: ExpressionScope): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH, maxListElements: MAX_LIST },
  });
  for (const [name, type] of Object.entries(VARIABLES[scope])) environment.registerVariable(name, type);
  // JSON has one kind of number. CEL has three and refuses to mix them, which would make `reported.battery +
  // 1` unknown.
  const arithmetic: Readonly<Record<string, (left: number, right: number) => number>> = {
    '+': (left, right) => left + right,
    '-': (left, right) => left - right,
    '*': (left, right) => left * right,
    '/': (left, right) => left / right,
    '%': (left, right) => left % right,
  };
  for (const [operator, compute] of Object.entries(arithmetic)) {
    const mixed = (left: number | bigint, right: number | bigint) => compute(Number(left), Number(right));
    environment.registerOperator(`int ${operator} double: double`, mixed);
    environment.registerOperator(`double ${operator} int: double`, mixed);
  }
  environment.registerOperator('double % double: double', (left, right) => left % right);
  environment.registerOperator('int == double: bool', (left, right) => Number(left) === right);
  return environment;
}

interface Inspection {
  readonly refusal?: string;
  readonly reads: readonly (readonly string[])[];
  /** What loops and `in` run over, where that does not depend on a loop's own variable. */
  readonly lists: readonly ASTNode[];
}

function inspect(root: ASTNode, variables: ReadonlySet<string>): Inspection {
  const reads = new Map<string, readonly string[]>();
  const lists: ASTNode[] = [];
  let refusal: string | undefined;

  const visit = (node: ASTNode, inLoop: boolean): void => {
    const path = accessPath(node);
    if (path !== undefined) {
      if (path[0] !== undefined && variables.has(path[0])) reads.set(path.join('\n'), path);
      return;
    }
    if (node.op === 'rcall') {
      const [name, receiver, operands] = node.args;
      if (name === 'matches') {
        refusal ??= '`matches` is refused: a regular expression can run for ever on a device’s text';
      }
      const isLoop = LOOPS.has(name) && operands.length >= 2;
      if (isLoop && inLoop) refusal ??= `\`${name}\` inside another loop is refused: the work would multiply`;
      if (isLoop && !inLoop && name !== 'bind') lists.push(receiver);
      // The receiver of a loop is evaluated once, outside it.
      if (!(name === 'bind' && receiver.op === 'id')) visit(receiver, inLoop);
      for (const operand of operands) visit(operand, inLoop || isLoop);
      return;
    }
    if (node.op === 'in' && !inLoop) lists.push(node.args[1]);
    for (const child of children(node)) visit(child, inLoop);
  };
  visit(root, false);
  return { reads: [...reads.values()], lists, ...(refusal === undefined ? {} : { refusal }) };
}

/** `payload.site['name']` is `['payload', 'site', 'name']`; undefined where the node is not such a chain. */
function accessPath(node: ASTNode): readonly string[] | undefined {
  if (node.op === 'id') return [node.args];
  if (node.op === '.' || node.op === '[]') {
    const [target, key] = node.args;
    const name = typeof key === 'string' ? key : key.op === 'value' ? key.args : undefined;
    if (typeof name !== 'string') return undefined;
    const before = accessPath(target);
    return before === undefined ? undefined : [...before, name];
  }
  return undefined;
}

function children(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return node.args;
  }
}

function isTooLong(list: (variables: Variables) => unknown, variables: Variables): boolean {
  try {
    const value = list(variables);
    return Array.isArray(value) && value.length > MAX_LIST;
  } catch {
    return false; // the expression itself will say what is missing
  }
}

/** CEL's result as plain JSON, numbers of all its kinds as numbers. */
function plain(value: unknown): Evaluation {
  const json = toJson(value);
  return json === undefined
    ? { known: false, why: 'the result is not a JSON value' }
    : { known: true, value: json };
}

function toJson(value: unknown): JsonValue | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  if (Array.isArray(value)) {
    const items = value.map(toJson);
    return items.includes(undefined) ? undefined : (items as JsonValue[]);
  }
  if (isObject(value) && isPlain(value)) {
    const members = Object.entries(value).map(([key, member]) => [key, toJson(member)] as const);
    if (members.some(([, member]) => member === undefined)) return undefined;
    return Object.fromEntries(members) as JsonObject;
  }
  if (value instanceof Map) return toJson(Object.fromEntries(value));
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function summary(error: unknown): string {
  if (error instanceof EvaluationError) return error.summary;
  if (error instanceof Error) return error.message.split('\n', 1)[0] ?? error.name;
  return String(error);
}
