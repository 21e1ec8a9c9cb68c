import type { ASTNode } from '@marcbachmann/cel-js';
import type { ErrorDetail } from '../../errors.ts';
import { isHostName } from '../../iot-hub/host-name.ts';
import type { JsonValue } from '../../json/json.ts';
import { type Expression, type ExpressionScope, syntaxTree } from '../expressions/expression.ts';
import { children } from '../expressions/expression-check.ts';
import { ONE_OF } from '../expressions/expression-one-of.ts';
import type { Template } from '../expressions/template.ts';
import type { Fleet } from '../fleet.ts';
import { asciiJson } from './ascii-json.ts';
import { chainOf, constantOf } from './condition-terms.ts';

/**
 * Warnings about comparisons with a text that a variable never has, such as
 * `registrationId.startsWith('SN-')`: ids are lower case. The rule, layer or policy would never match.
 */
export function deadComparisons({ allocation, twins }: Fleet): readonly ErrorDetail[] {
  const of = (path: string, when: Expression | undefined, scope: ExpressionScope) =>
    when === undefined ? [] : deadIn(syntaxTree(when, scope)).map((message) => ({ path, message }));
  const within = (path: string, template: Template | undefined, scope: ExpressionScope) =>
    expressionsIn(template, path).flatMap(([at, expression]) => of(at, expression, scope));
  return [
    ...allocation.rules.flatMap(({ when }, index) => of(`allocation.rules[${index}].when`, when, 'rule')),
    ...within('allocation.payload', allocation.payload, 'layer'),
    ...of('twins.scope', twins.scope, 'twin'),
    ...twins.layers.flatMap(({ when, tags, desired }, index) => [
      ...of(`twins.initial[${index}].when`, when, 'layer'),
      ...within(`twins.initial[${index}].tags`, tags, 'layer'),
      ...within(`twins.initial[${index}].desired`, desired, 'layer'),
    ]),
    ...twins.policies.flatMap(({ when, leaves, rollout }, index) => [
      ...(rollout?.stages ?? []).flatMap(({ where, name }) =>
        of(`twins.policies[${index}]: rollout stage ${name}`, where, 'twin'),
      ),
      ...of(`twins.policies[${index}].when`, when, 'twin'),
      ...leaves.flatMap(({ key, value }) => within(`twins.policies[${index}].desired.${key}`, value, 'twin')),
    ]),
  ];
}

function expressionsIn(
  template: Template | undefined,
  path: string,
): readonly (readonly [string, Expression])[] {
  switch (template?.kind) {
    case 'expression':
      return [[path, template.expression]];
    case 'array':
      return template.items.flatMap((item, index) => expressionsIn(item, `${path}[${index}]`));
    case 'object':
      return template.members.flatMap(([key, member]) => expressionsIn(member, `${path}.${key}`));
    default:
      return [];
  }
}

/** The possible texts of a variable. */
interface Domain {
  readonly can: (text: string) => boolean;
  /** Why a text is not possible, and what to write. It follows "compares with …, ". */
  readonly why: (name: string, text: string) => string;
  /** The possible parts of the texts; undefined if they have the same rule. */
  readonly part: Domain | undefined;
}

const LOWER: Domain = {
  can: (text) => text === text.toLowerCase(),
  why: (name, text) =>
    `but ${name} is always lower case, so this never matches: write ${asciiJson(text.toLowerCase())}`,
  part: undefined,
};
const UPPER: Domain = {
  can: (text) => text === text.toUpperCase(),
  why: (name, text) =>
    `but ${name} is always upper case, so this never matches: write ${asciiJson(text.toUpperCase())}`,
  part: undefined,
};
/**
 * Enrollment ids are case-insensitive and keep the case in which they were created (DPS concepts-service).
 */
const ANY_CASE: Domain = {
  can: LOWER.can,
  why: (name, text) =>
    `but ${name} keeps the case in which it was created, and DPS ignores case: compare ${name}.lowerAscii() with ${asciiJson(text.toLowerCase())}`,
  part: undefined,
};
const REGION: Domain = {
  can: (text) => /^[a-z0-9]*$/.test(text),
  why: (name, text) =>
    `but ${name} is lower case without spaces, so this never matches: write ${asciiJson(text.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))}`,
  part: undefined,
};
/** Expressions see the classic names of hubs. `file/warnings.ts` warns about full names of other kinds. */
const HUB_NAME: Domain = {
  can: (text) => LOWER.can(text) && isHostName(text),
  why: (name, text) =>
    LOWER.can(text)
      ? `but ${name} is a full host name, so this never matches: write it as in the fleet file, ${asciiJson('contoso-weu.azure-devices.net')}`
      : LOWER.why(name, text),
  part: {
    can: (text) => LOWER.can(text) && !/\.(device|service)\./.test(text),
    why: (name, text) =>
      LOWER.can(text)
        ? `but ${name} is always a classic host name, so this never matches: remove ".device" or ".service"`
        : LOWER.why(name, text),
    part: undefined,
  },
};

function among(...values: readonly string[]): Domain {
  return {
    can: (text) => values.includes(text),
    why: (name) => `but ${name} is always one of ${values.join(', ')}: write one of these`,
    part: { can: () => true, why: () => '', part: undefined },
  };
}

/**
 * The possible texts of variables (`src/allocation/request/request.ts`, `variables.ts`). Policies have no
 * request.
 */
const DOMAINS: Readonly<Record<string, Domain>> = {
  registrationId: LOWER,
  'enrollment.id': ANY_CASE,
  'enrollment.kind': among('individual', 'group', 'unknown'),
  'attestation.kind': among('symmetricKey', 'x509', 'tpm', 'none', 'unknown'),
  'current.hub': HUB_NAME,
  'hub.host': HUB_NAME,
  'hub.region': REGION,
};

/** Methods whose result has the same case as their receiver. */
const KEEP_CASE: ReadonlySet<string> = new Set(['substring', 'trim', 'split', 'charAt']);
/** Methods whose argument is a part of their receiver. */
const PARTS: ReadonlySet<string> = new Set([
  'startsWith',
  'endsWith',
  'contains',
  'indexOf',
  'lastIndexOf',
  'split',
]);
const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

interface Source {
  readonly name: string;
  readonly domain: Domain;
}

/** The list of a loop, or the value of `cel.bind`, by the name of the variable. */
type Items = ReadonlyMap<string, ASTNode>;

function deadIn(root: ASTNode): readonly string[] {
  const found = new Set<string>();
  const check = (node: ASTNode, compared: ASTNode, items: Items, isPart = false) => {
    const source = sourceOf(node, items);
    const domain = isPart ? (source?.domain.part ?? source?.domain) : source?.domain;
    if (source === undefined || domain === undefined) return;
    for (const text of writtenTexts(compared, items)) {
      if (!domain.can(text)) found.add(`compares with ${asciiJson(text)}, ${domain.why(source.name, text)}`);
    }
  };
  const visit = (node: ASTNode, items: Items): void => {
    switch (node.op) {
      case '==':
      case '!=':
        check(node.args[0], node.args[1], items);
        check(node.args[1], node.args[0], items);
        break;
      case 'in':
        check(node.args[0], node.args[1], items);
        break;
      case 'call': {
        const [name, [value, ...lists]] = node.args;
        if (name === ONE_OF && value !== undefined) for (const list of lists) check(value, list, items);
        break;
      }
      case 'rcall': {
        const [name, receiver, [first, ...rest]] = node.args;
        if (first === undefined) break;
        if (name === 'bind' && first.op === 'id' && rest[0] !== undefined) {
          visit(rest[0], items);
          const inner = new Map([...items, [first.args, rest[0]] as const]);
          for (const operand of rest.slice(1)) visit(operand, inner);
          return;
        }
        if (LOOPS.has(name) && first.op === 'id') {
          visit(receiver, items);
          const inner = new Map([...items, [first.args, receiver] as const]);
          for (const operand of rest) visit(operand, inner);
          return;
        }
        if (PARTS.has(name)) check(receiver, first, items, true);
        break;
      }
      default:
    }
    for (const child of children(node)) visit(child, items);
  };
  visit(root, new Map());
  return [...found];
}

/** The variable behind a node and its possible texts; undefined if any text is possible. */
function sourceOf(node: ASTNode, items: Items): Source | undefined {
  const path = chainOf(node);
  if (path !== undefined) {
    const [variable = ''] = path;
    const list = items.get(variable);
    if (list !== undefined) return path.length === 1 ? sourceOf(list, items) : undefined;
    const name = path.join('.');
    return Object.hasOwn(DOMAINS, name) ? { name, domain: DOMAINS[name] as Domain } : undefined;
  }
  if (node.op === '[]') return sourceOf(node.args[0], items);
  if (node.op === 'call' && (node.args[0] === 'string' || node.args[0] === 'dyn')) {
    const [argument] = node.args[1];
    return argument === undefined ? undefined : sourceOf(argument, items);
  }
  if (node.op !== 'rcall') return undefined;
  const [name, receiver] = node.args;
  const within = (): string => chainOf(receiver)?.join('.') ?? 'it';
  if (name === 'lowerAscii') return { name: `${within()}.lowerAscii()`, domain: LOWER };
  if (name === 'upperAscii') return { name: `${within()}.upperAscii()`, domain: UPPER };
  if (!KEEP_CASE.has(name)) return undefined;
  const source = sourceOf(receiver, items);
  return source === undefined ? undefined : { ...source, domain: source.domain.part ?? source.domain };
}

/** The literal texts of a node: the text itself, the items of a list, both branches of `?:`. */
export function writtenTexts(node: ASTNode, items: Items = new Map()): readonly string[] {
  const constant = constantOf(node);
  if (constant !== undefined) return textsIn(constant);
  switch (node.op) {
    case 'id': {
      const list = items.get(node.args);
      return list === undefined ? [] : writtenTexts(list, items);
    }
    case 'list':
      return node.args.flatMap((item) => writtenTexts(item, items));
    case '?:':
      return node.args.slice(1).flatMap((end) => writtenTexts(end, items));
    case '+': {
      const isOfLists = node.args.some(({ op }) => op === 'list');
      return isOfLists ? node.args.flatMap((part) => writtenTexts(part, items)) : [];
    }
    default:
      return [];
  }
}

function textsIn(constant: JsonValue): readonly string[] {
  if (typeof constant === 'string') return [constant];
  return Array.isArray(constant) ? constant.filter((item) => typeof item === 'string') : [];
}
