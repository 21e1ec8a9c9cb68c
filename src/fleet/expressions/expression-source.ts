import type { ASTNode } from '@marcbachmann/cel-js';
import { STRICT } from './expression-kinds.ts';

/** Loops whose receiver must be a list: for an object, they would loop over keys that a device chooses. */
const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/**
 * Rewrites an expression so that its comparisons are calls of functions that are strict about kinds. In CEL,
 * a comparison of two kinds is false, so a device that sends a number as its country would evade every rule
 * about countries.
 *
 * @param root the syntax tree of the expression
 * @param source the source of the tree; literals are copied from it exactly
 */
export function strictSource(root: ASTNode, source: string): string {
  const print = (node: ASTNode): string => {
    switch (node.op) {
      case 'value':
        return source.slice(node.range.start, node.range.end);
      case 'id':
        return node.args;
      case '==':
      case '!=': {
        const [left, right] = node.args;
        // A comparison with `null` tests the kind, so it stays.
        if (isNull(left) || isNull(right)) return `(${print(left)} ${node.op} ${print(right)})`;
        return `${node.op === '!=' ? '!' : ''}${STRICT.equal}(${print(left)}, ${print(right)})`;
      }
      case 'in': {
        const [item, collection] = node.args;
        const name = collection.op === 'list' ? STRICT.isAmong : STRICT.isIn;
        return `${name}(${print(item)}, ${print(collection)})`;
      }
      case '.':
      case '.?':
        return `${operand(node.args[0])}${node.op}${node.args[1]}`;
      case '[]':
        return `${operand(node.args[0])}[${print(node.args[1])}]`;
      case '[?]':
        return `${operand(node.args[0])}[?${print(node.args[1])}]`;
      case 'call': {
        const [name, operands] = node.args;
        const [asked] = operands;
        // `has` of cel-js would be unknown for a value that is too large.
        return name === 'has' && asked?.op === '.'
          ? `${STRICT.has}(${print(asked.args[0])}, ${JSON.stringify(asked.args[1])})`
          : `${name}(${operands.map(print).join(', ')})`;
      }
      case 'rcall': {
        const [name, receiver, operands] = node.args;
        const isLoop = LOOPS.has(name) && operands.length >= 2;
        const of = isLoop && receiver.op !== 'id' ? `${STRICT.list}(${print(receiver)})` : operand(receiver);
        return `${of}.${name}(${operands.map(print).join(', ')})`;
      }
      case 'list':
        return `[${node.args.map(print).join(', ')}]`;
      case 'map':
        return `{${node.args.map(([key, value]) => `${print(key)}: ${print(value)}`).join(', ')}}`;
      case '?:': {
        const [condition, then, otherwise] = node.args.map(print);
        return `(${condition} ? ${then} : ${otherwise})`;
      }
      case '!_':
      case '-_':
        return `(${node.op[0]}${operand(node.args)})`;
      default: {
        const [left, right] = node.args;
        return `(${print(left)} ${node.op} ${print(right)})`;
      }
    }
  };
  const operand = (node: ASTNode): string => (node.op === 'id' ? node.args : `(${print(node)})`);
  return print(root);
}

function isNull(node: ASTNode): boolean {
  return node.op === 'value' && node.args === null;
}
