import { nearest } from '../../../src/nearest.ts';
import { CONDITION_FUNCTIONS } from './condition-functions.ts';
import type { HubCondition, HubConditionOperator, PathStep } from './condition-syntax.ts';
import { type ConditionProblem, type ConditionToken, conditionTokens } from './condition-tokens.ts';

/** The operators of each level, the loosest first. `NOT` stands between `and` and the comparisons. */
const LEVELS: readonly (readonly HubConditionOperator[])[] = [
  ['??'],
  ['or'],
  ['and'],
  ['=', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-', '||'],
  ['*', '/', '%'],
];
const FIRST_COMPARISON = 3;
const STEP = /^([^.[\]]+)(?:\[(\d+)\])?$/;
/** A condition nests no deeper, so that a file cannot overflow the stack. */
const MAX_DEPTH = 100;

/** Parses the condition of a route, or says what is wrong with it. @example parseHubCondition("$body.t > 30 AND level = 'high'") */
export function parseHubCondition(text: string): HubCondition | ConditionProblem {
  const tokens = conditionTokens(text);
  if (!Array.isArray(tokens)) return tokens as ConditionProblem;
  const parser = new Parser(tokens as readonly ConditionToken[]);
  try {
    return parser.whole();
  } catch (error) {
    if (error instanceof Refused) return error.problem;
    throw error;
  }
}

export function isProblem(parsed: HubCondition | ConditionProblem): parsed is ConditionProblem {
  return 'message' in parsed;
}

class Refused extends Error {
  readonly problem: ConditionProblem;

  constructor(problem: ConditionProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

class Parser {
  readonly #tokens: readonly ConditionToken[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly ConditionToken[]) {
    this.#tokens = tokens;
  }

  whole(): HubCondition {
    const condition = this.#level(0);
    if (this.#next.kind !== 'end') throw refused(this.#next, `"${this.#next.value}" is not expected here`);
    return condition;
  }

  get #next(): ConditionToken {
    return this.#tokens[this.#position] ?? { kind: 'end', value: '', at: 0 };
  }

  #take(): ConditionToken {
    const token = this.#next;
    this.#position += 1;
    return token;
  }

  #level(level: number): HubCondition {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH * LEVELS.length) throw refused(this.#next, 'the condition nests too deep');
    const condition = level === FIRST_COMPARISON ? this.#negation() : this.#binary(level);
    this.#depth -= 1;
    return condition;
  }

  #negation(): HubCondition {
    if (!isWord(this.#next, 'not')) return this.#binary(FIRST_COMPARISON);
    this.#take();
    return { kind: 'not', operand: this.#level(FIRST_COMPARISON) };
  }

  #binary(level: number): HubCondition {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#level(level + 1);
    for (;;) {
      const operator = operatorOf(this.#next);
      if (operator === undefined || !operators.includes(operator)) return left;
      this.#take();
      left = { kind: 'binary', operator, left, right: this.#level(level + 1) };
    }
  }

  #unary(): HubCondition {
    if (this.#next.kind === 'sign' && this.#next.value === '-') {
      this.#take();
      return { kind: 'negate', operand: this.#unary() };
    }
    return this.#primary();
  }

  #primary(): HubCondition {
    const token = this.#take();
    switch (token.kind) {
      case 'text':
      case 'number':
        return { kind: 'constant', value: token.value };
      case 'system':
        return reference(token);
      case 'name':
        return this.#named(token);
      case 'sign':
        if (token.value === '(') return this.#closed(')', this.#level(0));
        if (token.value === '{') return this.#escaped();
    }
    const found = token.kind === 'end' ? 'the condition ends' : `"${token.value}" is here`;
    throw refused(token, `a value is expected, but ${found}`);
  }

  /** `{$name}`: a name that would otherwise be something else. */
  #escaped(): HubCondition {
    const token = this.#take();
    if (token.kind === 'system') return this.#closed('}', { kind: 'system', name: token.value });
    throw refused(token, 'a name with $ is expected after {');
  }

  #closed(bracket: ')' | '}', condition: HubCondition): HubCondition {
    const token = this.#take();
    if (token.kind === 'sign' && token.value === bracket) return condition;
    throw refused(token, `"${bracket}" is missing`);
  }

  #named(token: ConditionToken & { readonly kind: 'name' }): HubCondition {
    if (this.#next.kind === 'sign' && this.#next.value === '(') return this.#call(token);
    switch (token.value) {
      case 'true':
      case 'false':
        return { kind: 'constant', value: token.value === 'true' };
      case 'null':
        return { kind: 'constant', value: null };
      case 'undefined':
        return { kind: 'constant', value: undefined };
    }
    if (['and', 'or', 'not'].includes(token.value.toLowerCase()))
      throw refused(token, `a value is expected, but "${token.value}" is here`);
    return { kind: 'property', name: token.value };
  }

  #call(token: ConditionToken & { readonly kind: 'name' }): HubCondition {
    this.#take();
    const name = token.value.toLowerCase();
    const known = CONDITION_FUNCTIONS[name];
    if (known === undefined) {
      const near = nearest(name, Object.keys(CONDITION_FUNCTIONS));
      throw refused(token, `unknown function "${token.value}"${near ? `: did you mean ${near}?` : ''}`);
    }
    const operands: HubCondition[] = [];
    while (!(this.#next.kind === 'sign' && this.#next.value === ')')) {
      if (operands.length > 0) this.#comma();
      operands.push(this.#level(0));
    }
    this.#take();
    const [least, most] = known.operands;
    if (operands.length < least || operands.length > most) {
      const wanted =
        least === most
          ? `${least}`
          : most === Number.POSITIVE_INFINITY
            ? `at least ${least}`
            : `${least} to ${most}`;
      throw refused(token, `${name} takes ${wanted} values, not ${operands.length}`);
    }
    return { kind: 'call', name, operands };
  }

  #comma(): void {
    const token = this.#take();
    if (token.kind !== 'sign' || token.value !== ',') throw refused(token, '"," or ")" is missing');
  }
}

function operatorOf(token: ConditionToken): HubConditionOperator | undefined {
  if (isWord(token, 'and')) return 'and';
  if (isWord(token, 'or')) return 'or';
  if (token.kind !== 'sign') return undefined;
  const value = token.value === '<>' ? '!=' : token.value;
  return LEVELS.flat().find((operator) => operator === value);
}

function isWord(token: ConditionToken, word: string): boolean {
  return token.kind === 'name' && token.value.toLowerCase() === word;
}

function reference(token: ConditionToken & { readonly kind: 'system' }): HubCondition {
  const [, root = '', rest] = /^(body|twin)(?=$|[.[])(.*)$/i.exec(token.value) ?? [];
  if (rest === undefined) {
    if (/[[\]]/.test(token.value)) throw refused(token, 'only $body and $twin have elements of lists');
    return { kind: 'system', name: token.value };
  }
  // The whole body has no value in a condition (iot-hub-devguide-routing-query-syntax.md).
  if (!rest.startsWith('.')) return { kind: 'constant', value: undefined };
  return { kind: root.toLowerCase() as 'body' | 'twin', path: pathOf(rest.slice(1), token) };
}

function pathOf(text: string, token: ConditionToken): readonly PathStep[] {
  return text.split('.').map((part) => {
    const [, name, index] = STEP.exec(part) ?? [];
    if (name === undefined) throw refused(token, `"$${token.value}" is not a path: write $body.NAME.NAME[0]`);
    return { name, index: index === undefined ? undefined : Number(index) };
  });
}

function refused({ at }: ConditionToken, message: string): Refused {
  return new Refused({ at, message });
}
