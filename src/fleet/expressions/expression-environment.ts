import { Environment } from '@marcbachmann/cel-js';
import { registerStrictFunctions } from './expression-kinds.ts';
import { registerOneOf } from './expression-one-of.ts';
import { WORK_LIMITS } from './expression-work.ts';

/** Limits of an expression in the fleet file. Every instance evaluates it for every device. */
const WRITTEN = { maxAstNodes: 200, maxDepth: 20 };
/** Limits of the rewritten expression, which has more parentheses and calls. */
const RUNNING = { maxAstNodes: 2_000, maxDepth: 200 };

export interface Environments {
  /** Parses and checks expressions of the fleet file. */
  readonly written: Environment;
  /** Runs rewritten expressions, whose comparisons are strict about kinds. */
  readonly running: Environment;
}

/**
 * Creates the CEL environments of the fleet file. They work on JSON, which has one kind of number.
 *
 * @param variables CEL types of the variables, by name
 */
export function createEnvironments(variables: Readonly<Record<string, string>>): Environments {
  const running = createEnvironment(variables, RUNNING);
  registerStrictFunctions(running);
  return { written: createEnvironment(variables, WRITTEN), running };
}

function createEnvironment(
  variables: Readonly<Record<string, string>>,
  limits: { readonly maxAstNodes: number; readonly maxDepth: number },
): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: { ...limits, maxListElements: WORK_LIMITS.items },
  });
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
  mixNumbers(environment);
  registerOneOf(environment);
  return environment;
}

/**
 * Allows mixed kinds of numbers. CEL has three kinds and refuses to mix them, so `reported.battery + 1` would
 * be unknown.
 */
function mixNumbers(environment: Environment): void {
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
  environment.registerOperator('double % double: double', (left: number, right: number) => left % right);
  environment.registerOperator('int == double: bool', (left, right) => Number(left) === right);
}
