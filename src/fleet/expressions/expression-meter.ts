import type { Context, ParseResult } from '@marcbachmann/cel-js';
import { WrongKind } from './expression-kinds.ts';
import { priceOfCall, priceOfError, priceOfOperator } from './expression-prices.ts';
import {
  type ExpressionWork,
  NOT_IN_RECEIPT,
  NotKnown,
  TooMuchWork,
  WORK_LIMITS,
} from './expression-work.ts';

/**
 * Counts the work of an expression while it runs. cel-js has no hook for this, so this file wraps the
 * handlers that the type checker of cel-js puts on the nodes of the syntax tree. Each handler takes its steps
 * before it does its work.
 *
 * `handle`, `meta` and `setMeta` are not in the typings of cel-js. Therefore its version is pinned, a program
 * with other nodes is refused at load, and tests check the counts.
 */

/** Runs the program within the remaining steps of `work`. */
export type MeteredProgram = (variables: Context, work: ExpressionWork) => unknown;

/** Performs a call of one of Berth's own functions, instead of cel-js. */
export type OwnFunction = (operands: readonly unknown[], work: ExpressionWork) => unknown;

/**
 * Adds metering to a program.
 *
 * @param program a parsed and checked program. Afterwards, run it only through the returned function.
 * @throws Error if a node differs from those of cel-js 8.0.0
 */
export function metered(
  program: ParseResult,
  ownFunctions: ReadonlyMap<string, OwnFunction>,
): MeteredProgram {
  const meter = new Meter(program.ast.input.length, ownFunctions);
  meter.wrap(program.ast as unknown as Node);
  return (variables, work) => {
    meter.work = work;
    return program(variables);
  };
}

/** The part of a checked node that is not in the typings. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  handle?: Handle;
  readonly evaluate: Handle;
  readonly meta: { readonly evaluate: Handle; readonly alternate?: Node; readonly macro?: object };
  setMeta(key: 'evaluate', evaluate: Handle): void;
}

interface Loop {
  readonly step: Node;
  condition?: (result: unknown) => boolean;
}

/** The operands of a handler depend on the node. cel-js passes its evaluator as one of them. */
type Handle = (first: unknown, second: unknown, third: unknown, fourth?: unknown) => unknown;

/** The evaluator of cel-js: only the members that are changed here. */
interface Evaluator {
  debugType(value: unknown): Type;
  debugTypeDeep(value: unknown): Type;
  readonly registry: { getListType(item: Type): Type; getMapType(key: Type, value: Type): Type };
}
interface Type {
  readonly kind: string;
  readonly keyType: Type;
}

const ACCESSES: ReadonlySet<string> = new Set(['[]', '.?', '[?]']);

class Meter {
  work: ExpressionWork | undefined;
  #evaluator: Evaluator | undefined;
  readonly #functions: ReadonlyMap<string, OwnFunction>;
  readonly #priceOfError: number;

  constructor(sourceLength: number, functions: ReadonlyMap<string, OwnFunction>) {
    this.#functions = functions;
    this.#priceOfError = priceOfError(sourceLength);
  }

  wrap(node: Node): void {
    for (const child of childrenOf(node)) this.wrap(child);
    const { op, args } = node;
    switch (op) {
      case 'value':
      case 'id':
        return;
      case 'list':
        this.#wrapList(node, (args as readonly unknown[]).length + 1);
        return;
      case 'map':
        this.#replaceMap(node);
        return;
      case '||':
      case '&&':
        this.#replaceLogical(node, op === '||');
        return;
      case 'call':
        this.#wrapCall(node);
        return;
      case 'rcall':
        this.#wrapMethod(node);
        return;
      default:
        this.#wrapOperator(node);
    }
  }

  #wrapList(node: Node, price: number): void {
    const { evaluate } = node.meta;
    node.setMeta('evaluate', (evaluator, ast, context) => {
      this.#counted.take(price);
      return evaluate(evaluator, ast, context);
    });
  }

  /** Like cel-js, but a list cannot be a key: cel-js would convert the whole list to a text. */
  #replaceMap(node: Node): void {
    const members = node.args as readonly (readonly [Node, Node])[];
    node.setMeta('evaluate', (evaluator, _ast, context) => {
      this.#counted.take(2 * members.length + 1);
      const object: Record<string, unknown> = {};
      for (const [key, member] of members) {
        const name = this.#key(key.evaluate(evaluator, key, context));
        const value = member.evaluate(evaluator, member, context);
        if (!NO_KEYS.has(name)) object[name] = value;
      }
      return object;
    });
  }

  /** @throws WrongKind if the value cannot be a key */
  #key(value: unknown): string {
    if (typeof value === 'object' && typeof value?.valueOf() !== 'bigint') throw new WrongKind(NO_KEY);
    const key = String(value);
    this.#counted.take(key.length >> 6);
    return key;
  }

  /**
   * Like cel-js, but it ends if no steps are left, and `a || b || c` is one loop: otherwise an error would
   * pass through each level.
   */
  #replaceLogical(node: Node, deciding: boolean): void {
    const operands = operandsOf(node, node.op);
    node.setMeta('evaluate', (evaluator, _ast, context) => {
      this.#counted.take(operands.length - 1);
      let failure: unknown;
      for (const operand of operands) {
        try {
          const value = operand.evaluate(evaluator, operand, context);
          if (value === deciding) return deciding;
          if (typeof value !== 'boolean') failure = this.#failed(new WrongKind(NOT_BOOLEAN));
        } catch (error) {
          failure = error;
          if (this.#counted.isSpent) break;
        }
      }
      if (failure !== undefined) throw failure;
      return !deciding;
    });
  }

  #wrapCall(node: Node): void {
    const [name] = node.args as readonly [string];
    const own = this.#functions.get(name);
    const handle = handleOf(node);
    node.handle = (given, ast, evaluator) => {
      const operands = given as readonly unknown[];
      this.#counted.take(own === undefined ? 1 + priceOfCall(name, operands) : 1);
      try {
        return checked(
          own === undefined ? handle(operands, ast, this.#shallow(evaluator)) : own(operands, this.#counted),
        );
      } catch (error) {
        throw this.#failed(error);
      }
    };
  }

  #wrapMethod(node: Node): void {
    const { alternate, macro } = node.meta;
    if (alternate !== undefined) this.#wrapLoop(alternate);
    // `cel.bind` runs only nodes that are already wrapped.
    if (alternate !== undefined || macro !== undefined) return;
    const [name] = node.args as readonly [string];
    const handle = handleOf(node);
    node.handle = (given, evaluator, ast) => {
      const operands = given as readonly unknown[];
      this.#counted.take(1 + priceOfCall(name, operands));
      try {
        return checked(handle(operands, this.#shallow(evaluator), ast));
      } catch (error) {
        throw this.#failed(error);
      }
    };
  }

  /** Operators with one, two or three operands, and access to members. */
  #wrapOperator(node: Node): void {
    const { op } = node;
    const handle = handleOf(node);
    if (op === '!_' || op === '-_') {
      node.handle = (value, ast, evaluator) => {
        this.#counted.take(1);
        try {
          return handle(value, ast, this.#shallow(evaluator));
        } catch (error) {
          throw this.#failed(error);
        }
      };
      return;
    }
    if (op === '?:') {
      node.handle = (condition, evaluator, ast, context) => {
        this.#counted.take(1);
        try {
          return handle(condition, this.#shallow(evaluator), ast, context);
        } catch (error) {
          throw this.#failed(error);
        }
      };
      return;
    }
    if (op === '.') {
      node.handle = (left, key, ast, evaluator) => {
        this.#counted.take(1);
        try {
          // cel-js would report the same error, but much more slowly.
          if (lacks(left, key as string)) throw new WrongKind(missing(key as string));
          return checked(handle(left, key, ast, this.#shallow(evaluator)));
        } catch (error) {
          throw this.#failed(error);
        }
      };
      return;
    }
    const isAccess = ACCESSES.has(op);
    node.handle = (left, right, ast, evaluator) => {
      this.#counted.take(isAccess ? 1 : 1 + priceOfOperator(op, left, right));
      try {
        if (isAccess) this.#key(right);
        return checked(handle(left, right, ast, this.#shallow(evaluator)));
      } catch (error) {
        throw this.#failed(error);
      }
    };
  }

  #wrapLoop(node: Node): void {
    const loop = node.args as Loop;
    const handle = handleOf(node);
    node.handle = (items, args, evaluator, context) => {
      const length = lengthOf(items);
      if (length > WORK_LIMITS.items) throw new WrongKind(TOO_MANY_ITEMS);
      this.#counted.take(1 + length);
      return handle(items, args, evaluator, context);
    };
    if (loop.step.op === '?:') this.#wrapOperator(loop.step);
    const { condition } = loop;
    // Such a loop continues after an error, but must stop if no steps are left.
    if (condition !== undefined) loop.condition = (result) => !this.#counted.isSpent && condition(result);
  }

  #failed(error: unknown): unknown {
    if (error instanceof TooMuchWork) return error;
    this.#counted.note(error instanceof WrongKind ? PRICE_OF_WRONG_KIND : this.#priceOfError);
    return error;
  }

  get #counted(): ExpressionWork {
    if (this.work === undefined) throw new TooMuchWork('not begun');
    return this.work;
  }

  /**
   * The evaluator, which inspects only two levels of lists and objects to find their types. cel-js inspects
   * all levels and never releases a type that it has seen, so a device could fill the memory.
   */
  #shallow(evaluator: unknown): Evaluator {
    if (this.#evaluator !== undefined) return this.#evaluator;
    const shallow = Object.create(evaluator as Evaluator) as Evaluator;
    shallow.debugTypeDeep = (value) => typeOf(evaluator as Evaluator, value, 2);
    this.#evaluator = shallow;
    return shallow;
  }
}

const PRICE_OF_WRONG_KIND = 15;

const NO_KEY = 'a list, an object or null as a key';
/** Keys that cel-js leaves out of an object. */
const NO_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const NOT_BOOLEAN = 'invalid logical operand';

function missing(key: string): string {
  return key.length <= 60 ? `the key ${key} is missing` : 'a key is missing';
}

/** Whether a value is an object without this member. */
function lacks(value: unknown, key: string): boolean {
  if (value instanceof Map) return !value.has(key);
  return (
    typeof value === 'object' && value !== null && value.constructor === Object && !Object.hasOwn(value, key)
  );
}

const TOO_MANY_ITEMS = `more than ${WORK_LIMITS.items} items`;

/** Checks the size of a result, which has the same limits as an operand. */
function checked(result: unknown): unknown {
  if (typeof result === 'string') {
    if (result.length > WORK_LIMITS.textBytes)
      throw new WrongKind(`a text of more than ${WORK_LIMITS.textBytes / 1024} KB`);
  } else if (Array.isArray(result)) {
    if (result.length > WORK_LIMITS.items) throw new WrongKind(TOO_MANY_ITEMS);
  } else if (result instanceof Uint8Array && result.length > WORK_LIMITS.textBytes) {
    throw new WrongKind(`more than ${WORK_LIMITS.textBytes / 1024} KB`);
  } else if (result instanceof NotKnown) throw new WrongKind(NOT_IN_RECEIPT);
  return result;
}

function typeOf(evaluator: Evaluator, value: unknown, depth: number): Type {
  const type = evaluator.debugType(value);
  if (depth === 0 || (type.kind !== 'list' && type.kind !== 'map')) return type;
  if (Array.isArray(value)) {
    return value.length === 0 ? type : evaluator.registry.getListType(typeOf(evaluator, value[0], depth - 1));
  }
  const first = firstMember(value as object);
  return first === undefined
    ? type
    : evaluator.registry.getMapType(typeOf(evaluator, first[0], 0), typeOf(evaluator, first[1], depth - 1));
}

function firstMember(value: object): readonly [unknown, unknown] | undefined {
  if (value instanceof Map) return value.entries().next().value;
  for (const key in value) return [key, (value as Readonly<Record<string, unknown>>)[key]];
  return undefined;
}

/** `a`, `b` and `c` of `a || b || c`. */
function operandsOf(node: Node, op: string): readonly Node[] {
  if (node.op !== op) return [node];
  const [one, other] = node.args as readonly [Node, Node];
  return [...operandsOf(one, op), other];
}

function handleOf({ handle, op }: Node): Handle {
  if (handle === undefined) throw new Error(`cel-js has no handler for ${op}`);
  return handle;
}

function lengthOf(items: unknown): number {
  if (Array.isArray(items) || items instanceof Uint8Array) return items.length;
  if (items instanceof Map || items instanceof Set) return items.size;
  return typeof items === 'object' && items !== null ? Object.keys(items).length : 0;
}

function childrenOf({ op, args }: Node): readonly Node[] {
  switch (op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [(args as readonly [Node])[0]];
    case 'call':
      return (args as readonly [string, readonly Node[]])[1];
    case 'rcall': {
      const [, receiver, operands] = args as readonly [string, Node, readonly Node[]];
      return [receiver, ...operands];
    }
    case 'map':
      return (args as readonly (readonly Node[])[]).flat();
    case '!_':
    case '-_':
      return [args as Node];
    default:
      return args as readonly Node[];
  }
}
