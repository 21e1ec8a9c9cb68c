import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { EvaluationError, ParseError, TypeError as TypeProblem } from '@marcbachmann/cel-js';
import { nearest } from '../../nearest.ts';
import { SECRET } from '../secrets.ts';
import { children, LOOPS, nameAt } from './expression-check.ts';

/** More of a line is not shown; the place stays visible. */
const WIDEST = 100;
/** Words of other languages for CEL's operators, by the text in which they stand. */
const OPERATORS: readonly (readonly [RegExp, string])[] = [
  [/^and\b/i, 'Write && for "and"'],
  [/^or\b/i, 'Write || for "or"'],
  [/^=/, 'Write == to compare'],
  [/^&/, 'Write && for "and"'],
  [/^\|/, 'Write || for "or"'],
];

/** What a problem is about: the environment of the place, and the names that may stand there. */
export interface ProblemPlace {
  readonly environment: Environment;
  readonly variables: readonly string[];
  /** Functions that Berth refuses. */
  readonly refused: readonly string[];
  /** Of an expression that could be parsed. */
  readonly ast?: ASTNode | undefined;
}

/**
 * An error of the parser or the type checker, for people: what is wrong, a suggestion, the known names, and in two
 * more lines the expression with a caret under the place.
 */
export function problemText(error: unknown, source: string, place: ProblemPlace): string {
  const { summary, start } = readError(error);
  const sentence = [summary, hintOn(error, source, start, place)].filter(Boolean).join('. ');
  return start === undefined ? sentence : `${sentence}\n${excerpt(source, start)}`;
}

/** The line of the expression with a caret under the place; empty where the line may hold a secret. */
export function excerpt(source: string, at: number): string {
  const start = source.lastIndexOf('\n', at - 1) + 1;
  const end = source.indexOf('\n', at);
  const line = source.slice(start, end === -1 ? undefined : end).replace(/\p{Cc}/gu, ' ');
  if (SECRET.test(source)) return '(the expression may hold a secret and is not repeated)';
  const column = at - start;
  const from = Math.max(0, column - WIDEST + 20);
  const [before, after] = [from > 0 ? '…' : '', line.length > from + WIDEST ? '…' : ''];
  const caret = ' '.repeat(column - from + before.length);
  return `${before}${line.slice(from, from + WIDEST)}${after}\n${caret}^`;
}

function readError(error: unknown): { readonly summary: string; readonly start: number | undefined } {
  if (error instanceof ParseError || error instanceof TypeProblem || error instanceof EvaluationError) {
    const called = calledIn(error.node);
    const start = called === undefined ? error.range?.start : nameAt(error.node as ASTNode, called.name);
    return { summary: error.summary, start: start ?? error.range?.start };
  }
  const [summary = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  return { summary, start: undefined };
}

interface Called {
  readonly name: string;
  readonly isMethod: boolean;
}

/** The function that a node calls. */
function calledIn(node: unknown): Called | undefined {
  const { op, args } = (node ?? {}) as { readonly op?: string; readonly args?: unknown };
  if ((op !== 'call' && op !== 'rcall') || !Array.isArray(args)) return undefined;
  const name: unknown = args[0];
  return typeof name === 'string' ? { name, isMethod: op === 'rcall' } : undefined;
}

function hintOn(
  error: unknown,
  source: string,
  start: number | undefined,
  { environment, variables, refused, ast }: ProblemPlace,
): string {
  const { code, node, summary } = error as Partial<TypeProblem>;
  switch (code) {
    case 'unknown_variable': {
      const name = /^Unknown variable: (.+)$/.exec(summary ?? '')?.[1] ?? '';
      const loop = loopOver(name, ast);
      return loop === undefined ? suggested(name, variables) : suggested(loop, [...LOOPS]);
    }
    case 'no_matching_overload': {
      const called = calledIn(node);
      if (called === undefined) return '';
      const functions = environment
        .getDefinitions()
        .functions.filter(({ receiverType }) => !/^optional|Namespace$/i.test(receiverType ?? ''));
      const same = functions.filter(({ name }) => name === called.name);
      if (same.length > 0) return `It is written ${same.map(({ signature }) => signature).join(' or ')}`;
      const known = functions.filter(
        ({ name, receiverType }) => (receiverType !== null) === called.isMethod && !refused.includes(name),
      );
      return suggested(called.name, [...new Set(known.map(({ name }) => name))]);
    }
    case 'unexpected_character':
    case 'unexpected_token':
    case 'expected_token':
      return start === undefined ? '' : operatorAt(source, start);
    default:
      return '';
  }
}

/** The mistyped loop of which the unknown variable is the first operand, as in `payload.tags.exist(x, x == 1)`. */
function loopOver(variable: string, node: ASTNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (node.op === 'rcall') {
    const [name, , [first]] = node.args;
    if (first?.op === 'id' && first.args === variable && !LOOPS.has(name)) return name;
  }
  for (const child of children(node)) {
    const found = loopOver(variable, child);
    if (found !== undefined) return found;
  }
  return undefined;
}

function suggested(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  const list = `Known names: ${known.join(', ')}`;
  return near === undefined ? list : `Did you mean "${near}"? ${list}`;
}

/** The parser stops at the second letter of a word that it does not expect, or before it. */
function operatorAt(source: string, start: number): string {
  if (start >= source.length) return 'The expression ends too early';
  if (/\bnot\s+$/i.test(source.slice(0, start))) return 'Write ! for "not"';
  const word = /\w*$/.exec(source.slice(0, start))?.[0] ?? '';
  const text = source.slice(start - word.length);
  return OPERATORS.find(([pattern]) => pattern.test(text))?.[1] ?? '';
}
