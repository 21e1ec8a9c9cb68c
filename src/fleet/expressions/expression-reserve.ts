import type { ASTNode } from '@marcbachmann/cel-js';
import { accessPath, children, LOOPS } from './expression-check.ts';
import { STRICT } from './expression-kinds.ts';
import { priceOfCall, priceOfError } from './expression-prices.ts';
import { WORK_LIMITS } from './expression-work.ts';

/**
 * An input is short if it is a number, true, false, null, or a text of at most this many characters, as ids of devices are.
 * A list or an object is short if its JSON has at most this many characters, and a device does not choose it.
 */
const SHORT_INPUT = 128;

/** Variables that a device chooses. */
const OF_DEVICE: ReadonlySet<string> = new Set(['payload', 'reported']);
/** Variables that are texts. */
const TEXTS: ReadonlySet<string> = new Set(['registrationId', 'deviceId', 'moduleId']);
/** Variables whose members are texts, true or false; `enrollment.initialTwin` is the exception. */
const OF_SCALARS: ReadonlySet<string> = new Set(['enrollment', 'attestation', 'current']);

/** The largest value that a node can have, if all inputs are short. */
interface Largest {
  /** At least the length of a text, and at least the number of items of a list. */
  readonly size: number;
  /** False if the value can be a list or an object. */
  readonly isScalar: boolean;
}

/** A number, a time, true or false; its text has fewer characters. */
const SCALAR: Largest = { size: 64, isScalar: true };

/** The largest values of the variables that `cel.bind` defines. */
type Bound = ReadonlyMap<string, Largest>;

/**
 * The steps that each expression has for itself, because a device must not use them up: at least as many as the expression
 * can take on short inputs. A loop counts as if its list were empty, because a device usually chooses the list. An expression
 * that reads only what a device chooses has `WORK_LIMITS.own`.
 *
 * @param root the tree of the expression that runs, with the functions of `STRICT`
 * @param reads the paths that the expression reads
 */
export function reserveOf(root: ASTNode, reads: readonly (readonly string[])[]): number {
  if (reads.every(([variable = '']) => OF_DEVICE.has(variable))) return WORK_LIMITS.own;
  const errorPrice = priceOfError(root.input.length);
  const counter = new StepCounter(errorPrice);
  const { size } = counter.largest(root, new Map());
  const copyOfResult = 1 + 3 * size;
  const steps = counter.steps + errorPrice + copyOfResult;
  return Math.min(Math.max(WORK_LIMITS.own, steps), WORK_LIMITS.expression);
}

/** Adds up the most steps of the nodes of a tree. It mirrors `expression-meter.ts`. */
class StepCounter {
  steps = 0;
  readonly #errorPrice: number;

  constructor(errorPrice: number) {
    this.#errorPrice = errorPrice;
  }

  /** Adds the steps of a node and of the nodes below it. */
  largest(node: ASTNode, bound: Bound): Largest {
    const below = (each: ASTNode) => this.largest(each, bound);
    switch (node.op) {
      case 'value':
        return { size: lengthOf(node.args), isScalar: true };
      case 'id':
        return bound.get(node.args) ?? largestInput([node.args]);
      case '.':
      case '.?':
      case '[]':
      case '[?]':
        return this.#member(node, bound);
      case 'list':
        this.steps += 1 + node.args.length;
        return collection(node.args.map(below));
      case 'map': {
        const parts = node.args.flat().map(below);
        this.steps += 1 + parts.length + sizeOf(parts);
        return collection(parts);
      }
      case '||':
      case '&&':
        this.steps += 1;
        for (const operand of node.args) {
          // The next operand is evaluated although this one failed.
          if (operand.op !== node.op) this.steps += this.#errorPrice;
          below(operand);
        }
        return SCALAR;
      case '?:': {
        // An error of a branch is counted there, and again here.
        this.steps += 1 + this.#errorPrice;
        const [, ...branches] = node.args.map(below);
        return together(branches);
      }
      case '+': {
        const operands = node.args.map(below);
        this.steps += 1 + (sizeOf(operands) >> (operands.every(({ isScalar }) => isScalar) ? 6 : 3));
        return together(operands);
      }
      case 'call': {
        const [name, operands] = node.args;
        return this.#call(name, operands, bound);
      }
      case 'rcall': {
        const [name, receiver, operands] = node.args;
        return LOOPS.has(name) && operands.length >= 2
          ? this.#loop(name, receiver, operands, bound)
          : this.#call(name, [receiver, ...operands], bound);
      }
      default:
        this.steps += 1 + (sizeOf(children(node).map(below)) >> 6);
        return SCALAR;
    }
  }

  #member(node: ASTNode, bound: Bound): Largest {
    const [container = SCALAR, ...keys] = children(node).map((each) => this.largest(each, bound));
    this.steps += 1 + (sizeOf(keys) >> 6);
    const path = accessPath(node);
    return path === undefined || bound.has(path[0] ?? '') ? container : largestInput(path);
  }

  #loop(name: string, receiver: ASTNode, operands: readonly ASTNode[], bound: Bound): Largest {
    this.steps += 1;
    if (name !== 'bind') return this.largest(receiver, bound);
    const [variable, value, body] = operands;
    if (variable?.op !== 'id' || value === undefined || body === undefined) return SCALAR;
    return this.largest(body, new Map([...bound, [variable.args, this.largest(value, bound)]]));
  }

  #call(name: string, nodes: readonly ASTNode[], bound: Bound): Largest {
    const operands = nodes.map((each) => this.largest(each, bound));
    const [first = SCALAR, second = SCALAR] = operands;
    this.steps += 1;
    switch (name) {
      case STRICT.equal:
        this.steps += comparison(first, second);
        return SCALAR;
      case STRICT.isAmong:
        this.#among(first, nodes[1], bound);
        return SCALAR;
      case STRICT.isIn:
        // A list of a device counts as empty.
        if (!second.isScalar) this.steps += second.size * (1 + comparison(first, first));
        return SCALAR;
      case STRICT.has:
        return SCALAR;
      case STRICT.list:
        return first;
      default:
        this.steps += priceOfCall(
          name,
          operands.map(({ size }) => new Uint8Array(size)),
        );
        return resultOf(name, operands);
    }
  }

  /** Compares a value with each item of a literal list. */
  #among(value: Largest, list: ASTNode | undefined, bound: Bound): void {
    const items = list?.op === 'list' ? list.args : [];
    // The steps of the items themselves are already counted.
    const uncounted = new StepCounter(0);
    for (const item of items) this.steps += 1 + comparison(value, uncounted.largest(item, bound));
  }
}

/** Functions whose result is not larger than their operands. */
const NOT_LARGER: ReadonlySet<string> = new Set([
  'at',
  'dyn',
  'lowerAscii',
  'of',
  'or',
  'orValue',
  'substring',
  'trim',
  'upperAscii',
  'value',
]);
/** Functions with a text, bytes or a list as their result, which are at most four times as large as the operands. */
const LARGER: ReadonlySet<string> = new Set(['base64', 'bytes', 'hex', 'json', 'split', 'string']);

function resultOf(name: string, operands: readonly Largest[]): Largest {
  if (NOT_LARGER.has(name)) return together(operands);
  if (!LARGER.has(name)) return SCALAR;
  return limited(SCALAR.size + 4 * sizeOf(operands), name !== 'split' && name !== 'json');
}

function largestInput([variable = '', ...keys]: readonly string[]): Largest {
  const isScalar =
    OF_DEVICE.has(variable) ||
    TEXTS.has(variable) ||
    (OF_SCALARS.has(variable) && keys.length > 0 && keys[0] !== 'initialTwin');
  return { size: SHORT_INPUT, isScalar };
}

/** The most steps of a comparison of two values. */
function comparison(left: Largest, right: Largest): number {
  // Values of different kinds, and texts of different lengths, differ at once.
  if (left.isScalar || right.isScalar) return Math.min(left.size, right.size) >> 6;
  return Math.max(left.size, right.size);
}

/** A list or an object of these parts. */
function collection(parts: readonly Largest[]): Largest {
  return limited(parts.length + sizeOf(parts), false);
}

/** A value that is one of these, or that consists of them. */
function together(parts: readonly Largest[]): Largest {
  return limited(
    sizeOf(parts),
    parts.every(({ isScalar }) => isScalar),
  );
}

/** A larger value makes an expression unknown, however many steps are left. */
function limited(size: number, isScalar: boolean): Largest {
  return { size: Math.min(size, WORK_LIMITS.textBytes), isScalar };
}

function sizeOf(parts: readonly Largest[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0);
}

function lengthOf(literal: unknown): number {
  return typeof literal === 'string' || literal instanceof Uint8Array ? literal.length : 0;
}
