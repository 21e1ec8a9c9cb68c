import { Environment } from '@marcbachmann/cel-js';

/** An expression larger than this is refused at load: every instance pays for it with every device. */
const WRITTEN = { maxAstNodes: 200, maxDepth: 20 };
/** The same expression when it runs, with what `memberOf` adds. */
const RUNNING = { maxAstNodes: 1_000, maxDepth: 60 };
/** Items of a list, in the source and at run time. */
export const MAX_ITEMS = 1_000;

/** A value is of another kind than the expression needs. Its message holds no values. */
export class WrongKind extends Error {}

export interface Environments {
  /** For what a person wrote: parsed, checked and bounded. */
  readonly written: Environment;
  /** For what runs: strict about kinds that only a device decides. */
  readonly running: Environment;
}

/**
 * CEL as the fleet file has it: over JSON, whose one kind of number mixes freely.
 *
 * @param variables their names with their CEL types
 */
export function createEnvironments(variables: Readonly<Record<string, string>>): Environments {
  const running = createEnvironment(variables, RUNNING);
  refuseOtherKinds(running);
  return { written: createEnvironment(variables, WRITTEN), running };
}

function createEnvironment(
  variables: Readonly<Record<string, string>>,
  limits: { readonly maxAstNodes: number; readonly maxDepth: number },
): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: { ...limits, maxListElements: MAX_ITEMS },
  });
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
  mixNumbers(environment);
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

const KINDS = ['bool', 'double', 'int', 'list', 'map', 'null', 'string'] as const;

/**
 * CEL calls a comparison of two kinds false, and a device that sends a number for its country would escape
 * every rule about countries. Only a comparison with `null` itself asks for the kind.
 */
function refuseOtherKinds(environment: Environment): void {
  for (const left of KINDS) {
    for (const right of KINDS) {
      const isNumeric = [left, right].every((kind) => kind === 'int' || kind === 'double');
      // cel-js derives `b == a` and `!=` from `a == b`.
      if (left >= right || isNumeric) continue;
      // It passes the node too, which its types do not say.
      environment.registerOperator(
        `${left} == ${right}: bool`,
        (one: unknown, other: unknown, ...node: unknown[]) => {
          if (isAboutNull(node[0])) return one === other;
          throw new WrongKind(`${left} compared with ${right}`);
        },
      );
    }
  }
  for (const [kind, accepts] of Object.entries(MEMBERS)) {
    environment.registerFunction(`${memberOf(kind as MemberKind)}(dyn): dyn`, (value: unknown) => {
      if (accepts(value)) return value;
      throw new WrongKind(`what is looked for in a list is no ${kind}`);
    });
  }
}

const MEMBERS = {
  string: (value: unknown) => typeof value === 'string',
  number: (value: unknown) => typeof value === 'number' || typeof value === 'bigint',
  bool: (value: unknown) => typeof value === 'boolean',
} as const;

export type MemberKind = keyof typeof MEMBERS;

/** The function that is put around what `in` looks for in a list of literals of one kind. */
export function memberOf(kind: MemberKind): string {
  return `__${kind}`;
}

function isAboutNull(node: unknown): boolean {
  const { args } = node as { readonly args: readonly { readonly op: string; readonly args: unknown }[] };
  return args.some((operand) => operand.op === 'value' && operand.args === null);
}
