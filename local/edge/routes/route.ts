import { type RouteCondition, readRouteCondition } from './condition.ts';
import { type RoutedMessage, RouteError } from './message.ts';

/*
 * The routes of `$edgeHub`: `FROM <source> [WHERE <condition>] INTO <sink>` (Microsoft.Azure.Devices.Routing.Core grammar,
 * RouteFactory and EndpointFactory of Azure/iotedge).
 */

export type Sink =
  | { readonly kind: 'upstream' }
  /** An input of a module. The module does not have to exist. */
  | { readonly kind: 'input'; readonly moduleId: string; readonly input: string };

export interface RuntimeRoute {
  /** The segments of the source in lower case, without a last `*`. */
  readonly source: readonly string[];
  /** Undefined: every message. */
  readonly condition: RouteCondition | undefined;
  readonly sink: Sink;
}

const HEAD = /^\s*(?:SELECT\s+\*\s+)?FROM\s+(\S+)\s+(WHERE|INTO)(?=[\s("'{$-])/i;
const INTO = /^INTO\s+([\s\S]+?)\s*$/i;
const ENDPOINT = /^BrokeredEndpoint\s*\(\s*(?:"([^"]*)"|'([^']*)')\s*\)$/i;
const SOURCES = ['messages', 'twinchangenotifications', '*'];

/**
 * Reads a route.
 *
 * @throws RouteError if the hub of the device would refuse it
 */
export function parseRuntimeRoute(text: string): RuntimeRoute {
  const [head = '', source, word] = HEAD.exec(text) ?? [];
  if (source === undefined || word === undefined) throw new RouteError(`${FORM}: ${text}`);
  const hasCondition = word.toLowerCase() === 'where';
  const found = hasCondition ? readRouteCondition(text, head.length) : undefined;
  const [, sink] = INTO.exec(text.slice(found?.into ?? head.length - word.length)) ?? [];
  if (sink === undefined) throw new RouteError(`${FORM}: ${text}`);
  return { source: parseSource(source), condition: found?.condition, sink: parseSink(sink) };
}

const FORM = 'a route has the form FROM <source> [WHERE <condition>] INTO <sink>';

function parseSource(source: string): readonly string[] {
  if (!source.startsWith('/')) throw new RouteError(`the source ${source} does not begin with /`);
  const segments = source
    .toLowerCase()
    .split('/')
    .filter((segment) => segment !== '');
  if (!SOURCES.includes(segments[0] ?? '')) throw new RouteError(`unknown source ${source}`);
  return segments.at(-1) === '*' ? segments.slice(0, -1) : segments;
}

function parseSink(sink: string): Sink {
  if (sink.toLowerCase() === '$upstream') return { kind: 'upstream' };
  const [, double, single] = ENDPOINT.exec(sink) ?? [];
  const path = double ?? single;
  if (path === undefined) throw new RouteError(`unknown sink ${sink}`);
  const segments = path.split('/').filter((segment) => segment !== '');
  const [, moduleId, , input] = segments;
  if (segments.length !== 4 || moduleId === undefined || input === undefined) {
    throw new RouteError(`the endpoint ${path} must have four parts: /modules/MODULE/inputs/INPUT`);
  }
  return { kind: 'input', moduleId, input };
}

/** Whether a route takes a message. A source matches as a prefix of whole segments, in any case. */
export function isRouted({ source, condition }: RuntimeRoute, message: RoutedMessage): boolean {
  const { moduleId, output } = message;
  const own = ['messages', 'modules', moduleId, ...(output === undefined ? [] : ['outputs', output])];
  const isFrom = source.every((segment, index) => own[index]?.toLowerCase() === segment);
  return isFrom && (condition === undefined || condition(message));
}
