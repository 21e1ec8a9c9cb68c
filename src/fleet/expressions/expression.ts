import { type ASTNode, EvaluationError } from '@marcbachmann/cel-js';
import { type JsonValue, ownMember } from '../../json/json.ts';
import { type ExpressionRefusal, inspect, REFUSED_FUNCTIONS } from './expression-check.ts';
import { createEnvironments, type Environments } from './expression-environment.ts';
import { STRICT_FUNCTIONS, WrongKind } from './expression-kinds.ts';
import { metered } from './expression-meter.ts';
import { oneOfProblem } from './expression-one-of.ts';
import { excerpt, problemText } from './expression-problem.ts';
import { reserveOf } from './expression-reserve.ts';
import { strictSource } from './expression-source.ts';
import { plainJson, readable } from './expression-value.ts';
import { ExpressionWork, TOO_LARGE, TooLarge } from './expression-work.ts';

const OF_A_REQUEST = {
  registrationId: 'string',
  enrollment: 'map',
  attestation: 'map',
  payload: 'dyn',
  current: 'map',
} as const;

/** The variables of expressions in each place of a fleet file, with their CEL types. */
const VARIABLES = {
  /** `allocation.rules`: they choose the hub, so there is no hub yet. */
  rule: OF_A_REQUEST,
  /** `twins.initial` and `allocation.payload`. */
  layer: { ...OF_A_REQUEST, hub: 'map' },
  /** `twins.scope` and `twins.policies`. */
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
 * The result of an expression. It is unknown if a key is missing, a kind is wrong or a value is too large.
 * `why` contains no values.
 */
export type Evaluation =
  | {
      readonly known: true;
      readonly value: JsonValue;
      /** Paths that are left out because their values are too large; absent if there are none. */
      readonly omitted?: readonly Omission[];
    }
  | { readonly known: false; readonly why: string };

/** A path that is left out of a result, with the reason. */
export interface Omission {
  readonly path: readonly string[];
  readonly why: string;
}

export interface Expression {
  readonly source: string;
  /** Each path of a variable that it reads, such as `['payload', 'country']`. */
  readonly reads: readonly (readonly string[])[];
  /** True if the expression is only a path, so that its result is the value at the path. */
  readonly isPath: boolean;
  /** Steps that the expression has for itself, whatever other expressions of the request used. */
  readonly reserve: number;
  /**
   * @param work the remaining steps of the request. Default: those of a request with only this expression.
   */
  evaluate(variables: Variables, work?: ExpressionWork): Evaluation;
}

/** Made by `variablesOf`. */
export type Variables = Readonly<Record<string, unknown>>;

export type Compiled =
  | { readonly ok: true; readonly expression: Expression }
  | {
      readonly ok: false;
      /** What to correct; then, in two more lines, the expression with a caret under the place. */
      readonly problem: string;
    };

const ENVIRONMENTS: Readonly<Record<ExpressionScope, Environments>> = {
  rule: createEnvironments(VARIABLES.rule),
  layer: createEnvironments(VARIABLES.layer),
  twin: createEnvironments(VARIABLES.twin),
};

/** Converts JSON values to variables of expressions. */
export function variablesOf(values: Readonly<Record<string, JsonValue | undefined>>): Variables {
  const variables: Record<string, unknown> = {};
  for (const name in values) {
    const value = values[name];
    variables[name] = value === undefined ? undefined : readable(value);
  }
  return variables;
}

/**
 * Compiles a CEL expression, or returns the problem: it does not parse, its types do not fit, or a device
 * could block an instance with it (`matches`, a loop inside a loop, too many nodes, too many levels).
 *
 * @example compileExpression("payload.country in ['DE', 'FR']", 'rule')
 */
export function compileExpression(source: string, scope: ExpressionScope): Compiled {
  const { written, running } = ENVIRONMENTS[scope];
  const refusedAt = ({ why, at }: ExpressionRefusal): Compiled => ({
    ok: false,
    problem: `${why}\n${excerpt(source, at)}`,
  });
  const refused = (error: unknown, ast?: ASTNode): Compiled => ({
    ok: false,
    problem: problemText(error, source, {
      environment: written,
      variables: Object.keys(VARIABLES[scope]),
      refused: REFUSED_FUNCTIONS,
      ast,
    }),
  });
  try {
    const parsed = written.parse(source);
    const { refusal, reads, isPath } = inspect(parsed.ast, new Set(Object.keys(VARIABLES[scope])));
    if (refusal !== undefined) return refusedAt(refusal);
    const closed = oneOfProblem(parsed.ast);
    if (closed !== undefined) return refusedAt(closed);
    const check = parsed.check();
    if (!check.valid) return refused(check.error, parsed.ast);
    const strict = running.parse(strictSource(parsed.ast, source));
    const recheck = strict.check();
    if (!recheck.valid) return { ok: false, problem: firstLine(recheck.error) };
    const reserve = reserveOf(strict.ast, reads);
    const program = metered(strict, STRICT_FUNCTIONS);
    const evaluate = withoutStackTraces((variables, work = new ExpressionWork()) => {
      work.begin(reserve);
      try {
        const { value, tooLarge } = plainJson(program(variables, work), work);
        // A loop or an `||` may have continued after its steps were used up.
        if (work.isSpent) return unknown(TOO_MUCH_WORK);
        if (value !== undefined && tooLarge.length === 0) return { known: true, value };
        if (value === undefined)
          return unknown(tooLarge.length > 0 ? TOO_LARGE : 'the result is not a JSON value');
        return { known: true, value, omitted: tooLarge.map((path) => ({ path, why: TOO_LARGE })) };
      } catch (error) {
        return unknown(work.isSpent ? TOO_MUCH_WORK : reasonOf(error, source));
      } finally {
        work.end();
      }
    });
    const [path] = reads;
    return {
      ok: true,
      expression: {
        source,
        reads,
        isPath,
        reserve,
        evaluate: isPath && path !== undefined ? scalarOr(path, evaluate) : evaluate,
      },
    };
  } catch (error) {
    return refused(error);
  }
}

/** Such a text needs fewer steps than each expression has for itself. */
const SHORT_TEXT = 1_000;

/**
 * Reads the short text, number, true or false at a path without a program: most values of layers and policies are such a path.
 * Everything else is left to `evaluate`, with its reasons and its limits.
 */
function scalarOr(path: readonly string[], evaluate: Expression['evaluate']): Expression['evaluate'] {
  return (variables, work) => {
    let value: unknown = variables;
    for (const key of path) value = value instanceof TooLarge ? undefined : ownMember(value, key);
    const isShort = typeof value === 'string' && value.length <= SHORT_TEXT;
    return isShort || typeof value === 'boolean' || Number.isFinite(value)
      ? { known: true, value: value as string | boolean | number }
      : evaluate(variables, work);
  };
}

/** The syntax tree of a compiled expression. */
export function syntaxTree({ source }: Expression, scope: ExpressionScope): ASTNode {
  return ENVIRONMENTS[scope].written.parse(source).ast;
}

/** The names of the variables of a scope. */
export function variableNames(scope: ExpressionScope): ReadonlySet<string> {
  return new Set(Object.keys(VARIABLES[scope]));
}

/**
 * The value of a condition: true, false, or the reason why it is unknown (also if the result is not a
 * boolean).
 */
export function evaluateCondition(
  expression: Expression,
  variables: Variables,
  work?: ExpressionWork,
): boolean | { readonly unknown: string } {
  const result = expression.evaluate(variables, work);
  if (!result.known) return { unknown: result.why };
  return typeof result.value === 'boolean'
    ? result.value
    : { unknown: 'the result is neither true nor false' };
}

const TOO_MUCH_WORK = 'too much work';

function unknown(why: string): Evaluation {
  return { known: false, why };
}

/**
 * Evaluates without stack traces: a missing key is an error in cel-js but usual in Berth, and stack traces
 * are slow.
 */
function withoutStackTraces(evaluate: Expression['evaluate']): Expression['evaluate'] {
  return (variables, work) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return evaluate(variables, work);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}

/** The reason of an unknown result, without values of a device. The messages of cel-js quote values. */
function reasonOf(error: unknown, source: string): string {
  if (error instanceof WrongKind) return error.message;
  if (!(error instanceof EvaluationError)) return 'cannot be computed';
  if (error.cause instanceof WrongKind) return error.cause.message;
  // `TooLarge` is the only type that cel-js does not know.
  if (error.code === 'unsupported_type') return TOO_LARGE;
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
