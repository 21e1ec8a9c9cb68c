import type { ASTNode } from '@marcbachmann/cel-js';
import type { MemberKind } from './expression-environment.ts';

/** What a look at an expression's syntax tree finds. */
export interface Inspection {
  /** Why it is refused, because a device could stall an instance with it. */
  readonly refusal: string | undefined;
  /** Each path of a variable that it reads, e.g. `['payload', 'country']`. */
  readonly reads: readonly (readonly string[])[];
  /** What loops and `in` run over, where a device may choose how long it is. */
  readonly lists: readonly ASTNode[];
  readonly hasLoop: boolean;
  readonly members: readonly Member[];
}

/** A part of the source that is looked for in a list of literals of one kind, and so must be of that kind. */
export interface Member {
  readonly start: number;
  readonly end: number;
  readonly kind: MemberKind;
}

const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);

export function inspect(root: ASTNode, variables: ReadonlySet<string>): Inspection {
  const reads = new Map<string, readonly string[]>();
  const lists: ASTNode[] = [];
  const members: Member[] = [];
  let refusal: string | undefined;
  let hasLoop = false;

  const read = (path: readonly string[], loopVariables: ReadonlySet<string>): void => {
    const [variable] = path;
    const isOwn = variable !== undefined && variables.has(variable) && !loopVariables.has(variable);
    if (isOwn) reads.set(path.join('\n'), path);
  };

  const visit = (node: ASTNode, loopVariables: ReadonlySet<string>): void => {
    const path = accessPath(node);
    if (path !== undefined) {
      read(path, loopVariables);
      return;
    }
    if (node.op === 'in') {
      const [item, collection] = node.args;
      members.push(...memberIn(item, collection));
      if (collection.op !== 'list' && !mentions(collection, loopVariables)) lists.push(collection);
      // `'site' in payload` asks for one key, not for the payload.
      const within = accessPath(collection);
      if (item.op === 'value' && typeof item.args === 'string' && within !== undefined) {
        read([...within, item.args], loopVariables);
        return;
      }
    }
    if (node.op === 'rcall') {
      const [name, receiver, operands] = node.args;
      if (name === 'matches') {
        refusal ??= '`matches` is refused: a regular expression can run for ever on a device’s text';
      }
      const isLoop = LOOPS.has(name) && operands.length >= 2;
      if (isLoop) {
        if (loopVariables.size > 0) {
          refusal ??= `\`${name}\` inside another loop is refused: the work would multiply`;
        }
        hasLoop = true;
        if (name !== 'bind') lists.push(receiver);
      }
      // The receiver of a loop is evaluated once, outside it; that of `cel.bind` is no value.
      if (!(name === 'bind' && receiver.op === 'id')) visit(receiver, loopVariables);
      const [first] = operands;
      const inner = isLoop && first?.op === 'id' ? new Set([...loopVariables, first.args]) : loopVariables;
      for (const operand of isLoop ? operands.slice(1) : operands) visit(operand, inner);
      return;
    }
    for (const child of children(node)) visit(child, loopVariables);
  };
  visit(root, new Set());
  return { refusal, reads: [...reads.values()], lists, hasLoop, members };
}

/**
 * `x in ['DE', 'FR']` is false in CEL where `x` is a number, and a device that sends one for its country would
 * escape every rule about countries.
 */
function memberIn(item: ASTNode, collection: ASTNode): readonly Member[] {
  if (collection.op !== 'list' || item.op === 'value') return [];
  const [kind, ...otherKinds] = new Set(collection.args.map(literalKind));
  if (kind === undefined || otherKinds.length > 0) return [];
  return [{ start: item.range.start, end: item.range.end, kind }];
}

function literalKind(node: ASTNode): MemberKind | undefined {
  if (node.op !== 'value') return undefined;
  switch (typeof node.args) {
    case 'string':
      return 'string';
    case 'number':
    case 'bigint':
      return 'number';
    case 'boolean':
      return 'bool';
    default:
      return undefined;
  }
}

function mentions(node: ASTNode, names: ReadonlySet<string>): boolean {
  if (node.op === 'id') return names.has(node.args);
  return children(node).some((child) => mentions(child, names));
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
