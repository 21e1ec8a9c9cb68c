import { Environment } from '@marcbachmann/cel-js';
import { registerStrictFunctions } from './expression-kinds.ts';
import { registerOneOf } from './expression-one-of.ts';
import { WORK_LIMITS } from './expression-work.ts';

/** An expression larger than this is refused at load: every instance pays for it with every device. */
const WRITTEN = { maxAstNodes: 200, maxDepth: 20 };
/** The same expression when it runs, with all its parentheses and calls. */
const RUNNING = { maxAstNodes: 2_000, maxDepth: 200 };

export interface Environments {
  /** For what a person wrote: parsed, checked and bounded. */
  readonly written: Environment;
  /** For what runs: with comparisons that are strict about kinds, which only a device decides. */
  readonly running: Environment;
}

/**
 * CEL as the fleet file has it: over JSON, whose one kind of number mixes freely.
 *
 * @param variables their names with their CEL types
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

/** CEL has three kinds of number and refuses to mix them, which would make `reported.battery + 1` unknown. */
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
