import type { ASTNode } from '@marcbachmann/cel-js';
import { ownEntry } from '../../json/json.ts';

/** Why an expression is refused, and where in its text. */
export interface ExpressionRefusal {
  readonly why: string;
  readonly at: number;
}

/** The result of inspecting the syntax tree of an expression. */
export interface Inspection {
  /** Why the expression is refused: a device could block an instance with it. */
  readonly refusal: ExpressionRefusal | undefined;
  /** Each path of a variable that it reads, such as `['payload', 'country']`. */
  readonly reads: readonly (readonly string[])[];
  /** True if the expression is only a path, such as `payload.site`. */
  readonly isPath: boolean;
}

/** Functions with which a device could block an instance, and the reasons. */
const REFUSED: Readonly<Record<string, string>> = {
  matches: 'a regular expression can take unlimited time for a text of a device',
  duration: 'its time grows with the cube of the length of a text',
  join: 'its text can be many times larger than what a device sends',
};

/** Names of the functions that are refused. */
export const REFUSED_FUNCTIONS = Object.keys(REFUSED);

/** Functions with a variable of their own. */
export const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);

export function inspect(root: ASTNode, variables: ReadonlySet<string>): Inspection {
  const reads = new Map<string, readonly string[]>();
  let refusal: ExpressionRefusal | undefined;

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
      // `'site' in payload` reads one key, not the whole payload.
      const within = accessPath(collection);
      if (item.op === 'value' && typeof item.args === 'string' && within !== undefined) {
        read([...within, item.args], loopVariables);
        return;
      }
    }
    if (node.op === 'rcall') {
      const [name, receiver, operands] = node.args;
      refusal ??= refusalOf(name, node);
      const isLoop = LOOPS.has(name) && operands.length >= 2;
      if (isLoop && loopVariables.size > 0) {
        refusal ??= {
          why: `\`${name}\` inside another loop is refused: the work would multiply`,
          at: nameAt(node, name),
        };
      }
      // The receiver of a loop is evaluated once, outside the loop. The receiver of `cel.bind` is not a
      // value.
      if (!(name === 'bind' && receiver.op === 'id')) visit(receiver, loopVariables);
      const [first] = operands;
      const inner = isLoop && first?.op === 'id' ? new Set([...loopVariables, first.args]) : loopVariables;
      for (const operand of isLoop ? operands.slice(1) : operands) visit(operand, inner);
      return;
    }
    if (node.op === 'call') refusal ??= refusalOf(node.args[0], node);
    for (const child of children(node)) visit(child, loopVariables);
  };
  visit(root, new Set());
  return {
    refusal,
    reads: [...reads.values()],
    isPath: accessPath(root) !== undefined,
  };
}

function refusalOf(name: string, node: ASTNode): ExpressionRefusal | undefined {
  const why = ownEntry(REFUSED, name);
  return why === undefined ? undefined : { why: `\`${name}\` is refused: ${why}`, at: nameAt(node, name) };
}

/** Where the name of a called function stands: a method stands behind its receiver. */
export function nameAt({ op, args, range, input }: ASTNode, name: string): number {
  const at = input.indexOf(name, op === 'rcall' ? args[1].range.end : range.start);
  return at === -1 ? range.start : at;
}

/** `payload.site['name']` is `['payload', 'site', 'name']`; undefined if the node is not a path. */
export function accessPath(node: ASTNode): readonly string[] | undefined {
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

/** The child nodes of a node. Keys of `.` accesses are not nodes. */
export function children(node: ASTNode): readonly ASTNode[] {
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
