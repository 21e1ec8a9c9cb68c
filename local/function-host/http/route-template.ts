import { type RouteConstraint, routeConstraint } from './route-constraint.ts';

/** Route values by parameter name. */
export type RouteValues = Readonly<Record<string, string>>;

/**
 * An ASP.NET Core route template for the `route` of an HTTP trigger. It supports literals, `{name}`, `{name?}`,
 * `{name=default}`, `{*rest}`, `{name:int:min(1)}` and several parts in one segment (`{file}.{ext}`). Braces cannot
 * be escaped.
 */
export interface RouteTemplate {
  /** Undefined if the path does not match. `path` is as the client sent it, with its leading slash. */
  match(path: string): RouteValues | undefined;
}

interface Parameter {
  readonly name: string;
  readonly catchAll: boolean;
  readonly optional: boolean;
  readonly fallback: string | undefined;
  readonly constraints: readonly RouteConstraint[];
}

interface Segment {
  readonly pattern: RegExp;
  /** In the order of the groups of `pattern`. */
  readonly parameters: readonly Parameter[];
  /**
   * Set if the segment consists of one parameter. Only such a parameter can be optional or take the rest of the path.
   */
  readonly only: Parameter | undefined;
}

/** @throws Error if the template is not valid. Its message follows "the route ...". */
export function parseRouteTemplate(text: string): RouteTemplate {
  const segments = text.replace(/\/$/, '').split('/').map(parseSegment);
  return { match: (path) => matchSegments(segments, splitPath(path)) };
}

function parseSegment(text: string): Segment {
  const tokens = [...text.matchAll(/\{([^{}]+)\}|([^{}]+)/g)];
  if (text === '' || tokens.map(([token]) => token).join('') !== text) {
    throw new Error(`has an invalid segment: "${text}"`);
  }
  const parameters = tokens.flatMap(([, inner]) => (inner === undefined ? [] : [parseParameter(inner)]));
  // A greedy match from the left gives the result of ASP.NET: in "a.b.c", {file}.{ext} is "a.b" and "c".
  const source = tokens.map(([, inner, literal = '']) =>
    inner === undefined ? escapeRegExp(literal) : '(.+)',
  );
  return {
    pattern: new RegExp(`^${source.join('')}$`, 'is'),
    parameters,
    only: tokens.length === 1 ? parameters[0] : undefined,
  };
}

function parseParameter(text: string): Parameter {
  const [head = '', star = '', name = ''] = /^(\*{0,2})([^*:=?]+)/.exec(text) ?? [];
  const optional = text.endsWith('?');
  let rest = text.slice(head.length, optional ? -1 : undefined);
  const constraints: RouteConstraint[] = [];
  for (;;) {
    const [whole, kind = '', argument = ''] = /^:(\w+)(?:\((.*?)\))?(?=[:=]|$)/.exec(rest) ?? [];
    if (whole === undefined) break;
    const constraint = routeConstraint(kind, argument);
    if (constraint === undefined) throw new Error(`has an unknown constraint: "${kind}"`);
    constraints.push(constraint);
    rest = rest.slice(whole.length);
  }
  if (name === '' || !/^(=.*)?$/s.test(rest)) throw new Error(`has an invalid parameter: "{${text}}"`);
  return {
    name,
    catchAll: star !== '',
    optional,
    fallback: rest === '' ? undefined : rest.slice(1),
    constraints,
  };
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * Splits a path like Kestrel: it ignores a slash at the end and decodes everything except `%2F`, which never splits
 * a segment.
 */
function splitPath(path: string): readonly string[] {
  return path
    .replace(/^\/|\/$/g, '')
    .split('/')
    .map((segment) => {
      try {
        return segment.split(/%2f/i).map(decodeURIComponent).join('%2F');
      } catch {
        return segment;
      }
    });
}

function matchSegments(segments: readonly Segment[], path: readonly string[]): RouteValues | undefined {
  const values: Record<string, string> = {};
  const accept = (parameter: Parameter, value: string): boolean => {
    values[parameter.name] = value;
    return parameter.constraints.every((constraint) => constraint(value));
  };
  for (const [index, { pattern, parameters, only }] of segments.entries()) {
    const part = (only?.catchAll ? path.slice(index).join('/') : path[index]) || only?.fallback;
    if (!part) {
      if (only?.optional || only?.catchAll) continue;
      return undefined;
    }
    const found = pattern.exec(part);
    if (found === null) return undefined;
    if (!parameters.every((parameter, group) => accept(parameter, found[group + 1] ?? ''))) return undefined;
    if (only?.catchAll) return values;
  }
  return path.length > segments.length ? undefined : values;
}
