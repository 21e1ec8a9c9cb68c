import { TWIN_LIMITS } from '../../iot-hub/twin-limits.ts';
import { RouteProblem, readCondition } from './route-condition.ts';
import { type RouteToken, routeTokensOf, TokenReader } from './route-tokens.ts';

/** Where the messages of a route go. */
export type RouteSink =
  | { readonly kind: 'upstream' }
  | { readonly kind: 'module'; readonly module: string; readonly input: string };

export type ReadRoute =
  | {
      readonly ok: true;
      /** The module whose messages the route takes. Undefined: those of all modules. */
      readonly sourceModule: string | undefined;
      readonly sink: RouteSink;
      /** What edgeHub accepts, and what probably does not do what the operator means. */
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads a route as edgeHub does: FROM source [WHERE condition] INTO sink. Sources: iotedge, Routing.Core/grammar/Route.g4,
 * RouteFactory, Edge.Hub.Core/routing/EndpointFactory.cs.
 *
 * @example readRoute('FROM /messages/* INTO $upstream')
 */
export function readRoute(route: string): ReadRoute {
  if (Buffer.byteLength(route, 'utf8') > TWIN_LIMITS.stringBytes) {
    return { ok: false, problem: 'has a text over 4 KB, which IoT Hub refuses: write a shorter condition' };
  }
  const tokens = new TokenReader(routeTokensOf(route));
  try {
    return readTokens(tokens);
  } catch (error) {
    if (!(error instanceof RouteProblem)) throw error;
    return { ok: false, problem: `${error.message} (column ${error.at + 1})` };
  }
}

const FORM = 'write FROM source [WHERE condition] INTO sink';

function readTokens(tokens: TokenReader): ReadRoute {
  if (tokens.peek().kind === 'end') throw new RouteProblem(0, `is empty: ${FORM}`);
  if (tokens.peek().kind === 'select') {
    tokens.take();
    if (!tokens.takeSign('*')) throw wrong(tokens.peek(), 'follows SELECT: write *, or leave out SELECT');
  }
  keyword(tokens, 'from', 'at the beginning');
  const { sourceModule, warnings } = readSource(tokens);
  if (tokens.peek().kind === 'where') {
    tokens.take();
    readCondition(tokens);
  }
  keyword(tokens, 'into', 'after the source and the condition');
  const sink = readSink(tokens);
  if (tokens.peek().kind !== 'end') throw wrong(tokens.peek(), 'follows the sink: remove it');
  return { ok: true, sourceModule, sink, warnings };
}

function keyword(tokens: TokenReader, kind: 'from' | 'into', where: string): void {
  const token = tokens.take();
  if (token.kind === kind) return;
  // `WHERE a == 1` ends the condition before the second sign.
  const doubled = token.text === '=' ? ' Write one "=" to compare.' : '';
  const found = token.kind === 'end' ? 'the route ends' : `there is ${JSON.stringify(token.text)}`;
  throw new RouteProblem(token.at, `has no ${kind.toUpperCase()} ${where}; ${found}: ${FORM}.${doubled}`);
}

function wrong({ text, at }: RouteToken, what: string): RouteProblem {
  return new RouteProblem(at, `has ${JSON.stringify(text)}, which ${what}`);
}

interface Source {
  readonly sourceModule: string | undefined;
  readonly warnings: readonly string[];
}

const SOURCES =
  'write /*, /messages/*, /messages/modules/MODULE/*, /messages/modules/MODULE/outputs/OUTPUT or /twinChangeNotifications';

function readSource(tokens: TokenReader): Source {
  const { at } = tokens.peek();
  const segments: string[] = [];
  while (tokens.takeSign('/')) {
    const item = tokens.take();
    if (item.kind !== 'id' && item.text !== '*') {
      throw item.kind === 'end'
        ? new RouteProblem(item.at, `ends inside its source: ${SOURCES}`)
        : wrong(item, `edgeHub cannot read as a part of a source: ${SOURCES}`);
    }
    segments.push(item.text);
  }
  if (segments.length === 0) throw new RouteProblem(at, `has no source: ${SOURCES}`);
  return sourceOf(segments, at);
}

/** Messages come from these sources. `undefined` stands for any name. A route takes all sources that begin with its own. */
const MESSAGE_SOURCES: readonly (readonly (string | undefined)[])[] = [
  ['messages', 'modules', undefined, 'outputs', undefined],
  ['messages', 'events'],
  ['twinchangenotifications'],
];

function sourceOf(written: readonly string[], at: number): Source {
  const text = `/${written.join('/')}`;
  const last = written.at(-1) ?? '';
  const isOpen = last === '*';
  const segments = isOpen ? written.slice(0, -1) : [...written.slice(0, -1), last.replace(/\*+$/, '')];
  if (segments.includes('*')) {
    throw new RouteProblem(at, `has the source ${text}: "*" is allowed only at the end, so it never matches`);
  }
  const isKnown = MESSAGE_SOURCES.some(
    (source) =>
      segments.length <= source.length &&
      segments.every((segment, index) => {
        const wanted = source[index];
        return wanted === undefined ? segment !== '' : segment.toLowerCase() === wanted;
      }),
  );
  if (!isKnown) throw new RouteProblem(at, `has the unknown source ${text}, which never matches: ${SOURCES}`);
  const warnings =
    !isOpen && last.endsWith('*')
      ? [
          `has the source ${text}: "*" is no wildcard inside a name, so it takes only ${last.replace(/\*+$/, '')}`,
        ]
      : [];
  return { sourceModule: segments[1]?.toLowerCase() === 'modules' ? segments[2] : undefined, warnings };
}

const SINKS = 'write $upstream or BrokeredEndpoint("/modules/MODULE/inputs/INPUT")';

function readSink(tokens: TokenReader): RouteSink {
  const token = tokens.take();
  if (token.kind === 'system') {
    if (token.text.toLowerCase() === '$upstream') return { kind: 'upstream' };
    throw wrong(token, `is no sink: ${SINKS}`);
  }
  if (token.kind === 'end') throw new RouteProblem(token.at, `has no sink after INTO: ${SINKS}`);
  if (token.kind !== 'id' || token.text.toLowerCase() !== 'brokeredendpoint')
    throw wrong(token, `is no sink: ${SINKS}`);
  if (!tokens.takeSign('(')) throw new RouteProblem(token.at, `has no "(" after BrokeredEndpoint: ${SINKS}`);
  const path = tokens.take();
  if (path.kind !== 'string') throw wrong(path, `is not the quoted path of an input: ${SINKS}`);
  if (!tokens.takeSign(')')) throw new RouteProblem(path.at, `has no ")" after the path: ${SINKS}`);
  const segments = path.text.slice(1, -1).trim().replace(/^\//, '').replace(/\/$/, '').split('/');
  const [modules = '', module = '', inputs = '', input = ''] = segments;
  const isWhole =
    segments.length === 4 && modules.toLowerCase() === 'modules' && inputs.toLowerCase() === 'inputs';
  if (!isWhole || module === '' || input === '') {
    throw wrong(path, 'is not the path of an input: write "/modules/MODULE/inputs/INPUT"');
  }
  return { kind: 'module', module, input };
}
