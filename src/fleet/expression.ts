import { type ASTNode, EvaluationError } from '@marcbachmann/cel-js';
import { isObject, type JsonValue } from '../json.ts';
import { inspect } from './expression-check.ts';
import { createEnvironments, type Environments, MAX_ITEMS } from './expression-environment.ts';
import { WrongKind } from './expression-kinds.ts';
import { oneOfProblem } from './expression-one-of.ts';
import { strictSource } from './expression-source.ts';
import { plainJson, readable, weighsMoreThan } from './expression-value.ts';

const OF_A_REQUEST = {
  registrationId: 'string',
  enrollment: 'map',
  attestation: 'map',
  payload: 'dyn',
  current: 'map',
} as const;

/** What expressions may refer to in each place of a fleet file, with their CEL types. */
const VARIABLES = {
  /** `allocation.rules`: they choose the hub, so there is none yet. */
  rule: OF_A_REQUEST,
  /** `twins.initial`, `allocation.payload`. */
  layer: { ...OF_A_REQUEST, hub: 'map' },
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
 * What an expression with a loop reads may weigh no more than this (parts, and quarters of characters): a
 * device chooses it, and every instance pays for the loop.
 */
const MAX_LOOP_WEIGHT = 4_000;

/** Unknown: a key is missing, a kind is wrong, there is too much. The reason is for receipts: it holds no values. */
export type Evaluation =
  | { readonly known: true; readonly value: JsonValue }
  | { readonly known: false; readonly why: string };

export interface Expression {
  readonly source: string;
  /** Each path of a variable that it reads, e.g. `['payload', 'country']`. */
  readonly reads: readonly (readonly string[])[];
  /** True for a path and nothing else: its value is what is there. */
  readonly isPath: boolean;
  evaluate(variables: Variables): Evaluation;
}

/** Made by `variablesOf`. */
export type Variables = Readonly<Record<string, unknown>>;

export type Compiled =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: string };

const ENVIRONMENTS: Readonly<Record<ExpressionScope, Environments>> = {
  rule: createEnvironments(VARIABLES.rule),
  layer: createEnvironments(VARIABLES.layer),
  twin: createEnvironments(VARIABLES.twin),
};

/** JSON under the names that expressions know it by. */
export function variablesOf(values: Readonly<Record<string, JsonValue | undefined>>): Variables {
  const variables: Record<string, unknown> = {};
  for (const name in values) {
    const value = values[name];
    variables[name] = value === undefined ? undefined : readable(value);
  }
  return variables;
}

/**
 * Compiles a CEL expression, or says why it is refused: it does not parse, its types cannot fit, or a device
 * could stall an instance with it (`matches`, a loop inside a loop, too many nodes, too deep).
 *
 * @example compileExpression("payload.country in ['DE', 'FR']", 'rule')
 */
export function compileExpression(source: string, scope: ExpressionScope): Compiled {
  const { written, running } = ENVIRONMENTS[scope];
  try {
    const parsed = written.parse(source);
    const { refusal, reads, isPath, lists, hasLoop } = inspect(
      parsed.ast,
      new Set(Object.keys(VARIABLES[scope])),
    );
    if (refusal !== undefined) return { ok: false, problem: refusal };
    const closed = oneOfProblem(parsed.ast);
    if (closed !== undefined) return { ok: false, problem: closed };
    const check = parsed.check();
    if (!check.valid) return { ok: false, problem: firstLine(check.error) };
    const program = running.parse(strictSource(parsed.ast, source));
    const collections = lists.map((list) => running.parse(strictSource(list, source)));
    return {
      ok: true,
      expression: {
        source,
        reads,
        isPath,
        evaluate: withoutStackTraces((variables) => {
          if (collections.some((collection) => isTooLong(collection, variables))) {
            return unknown(`more than ${MAX_ITEMS} items`);
          }
          if (hasLoop && reads.some((path) => weighsMoreThan(MAX_LOOP_WEIGHT, valueAt(variables, path)))) {
            return unknown('too much data for a loop');
          }
          try {
            const value = plainJson(program(variables));
            return value === undefined ? unknown('the result is no JSON value') : { known: true, value };
          } catch (error) {
            return unknown(reasonOf(error, source));
          }
        }),
      },
    };
  } catch (error) {
    return { ok: false, problem: firstLine(error) };
  }
}

/** The syntax tree of an expression that has been compiled. */
export function syntaxTree({ source }: Expression, scope: ExpressionScope): ASTNode {
  return ENVIRONMENTS[scope].written.parse(source).ast;
}

/** The names of the variables of a scope. */
export function variableNames(scope: ExpressionScope): ReadonlySet<string> {
  return new Set(Object.keys(VARIABLES[scope]));
}

/** A condition's value: true, false, or why it is unknown (also when it gives something that is not a boolean). */
export function evaluateCondition(
  expression: Expression,
  variables: Variables,
): boolean | { readonly unknown: string } {
  const result = expression.evaluate(variables);
  if (!result.known) return { unknown: result.why };
  return typeof result.value === 'boolean' ? result.value : { unknown: 'gives neither true nor false' };
}

function unknown(why: string): Evaluation {
  return { known: false, why };
}

/** A missing key is an error to cel-js and ordinary to Berth; a stack trace would take most of the time. */
function withoutStackTraces<Argument, Result>(
  evaluate: (argument: Argument) => Result,
): (argument: Argument) => Result {
  return (argument) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return evaluate(argument);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}

function isTooLong(collection: (variables: Variables) => unknown, variables: Variables): boolean {
  try {
    const value = collection(variables);
    if (Array.isArray(value)) return value.length > MAX_ITEMS;
    if (value instanceof Map) return value.size > MAX_ITEMS;
    return isObject(value) && Object.keys(value).length > MAX_ITEMS;
  } catch {
    return false; // the expression itself will say what is missing
  }
}

function valueAt(variables: Variables, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => {
    if (value instanceof Map) return value.get(key);
    return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, variables);
}

/** Why it is unknown, without what a device sent: messages of the library quote values. */
function reasonOf(error: unknown, source: string): string {
  if (error instanceof WrongKind) return error.message;
  if (!(error instanceof EvaluationError)) return 'cannot be computed';
  if (error.cause instanceof WrongKind) return error.cause.message;
  if (error.code === 'no_such_key') {
    const key = /^No such key: (.{1,60})$/.exec(error.summary)?.[1];
    return key !== undefined && source.includes(key) ? `the key ${key} is missing` : 'a key is missing';
  }
  return error.code === 'no_such_overload' ? error.summary.slice(0, 100) : error.code.replaceAll('_', ' ');
}

function firstLine(error: unknown): string {
  if (error instanceof Error) return error.message.split('\n', 1)[0] ?? error.name;
  return String(error);
}
