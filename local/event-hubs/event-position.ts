/**
 * The start position of a reader. Azure's clients send it as a selector filter on the source of the link, such as
 * `amqp.annotation.x-opt-offset > '-1'` (most SDKs quote the value, .NET does not).
 */
export type EventPosition =
  | { readonly by: 'start' }
  | { readonly by: 'latest' }
  | {
      readonly by: 'offset' | 'sequenceNumber' | 'enqueuedTime';
      readonly value: number;
      readonly inclusive: boolean;
    };

/** Offset that means "before the first event". */
const START = -1;
const LATEST = '@latest';

const FILTER =
  /^\s*amqp\.annotation\.(x-opt-offset|x-opt-sequence-number|x-opt-enqueued-time)\s*(>=?)\s*(?:'([^']*)'|(\S+))\s*$/;

/**
 * Reads a selector filter. Without a filter, the position is the start of the partition. Returns undefined for a
 * filter that Event Hubs does not support.
 */
export function parseEventPosition(filter: string | undefined): EventPosition | undefined {
  if (filter === undefined) return { by: 'start' };
  const match = FILTER.exec(filter);
  if (match === null) return undefined;
  const annotation = match[1];
  const inclusive = match[2] === '>=';
  const text = match[3] ?? match[4] ?? '';
  if (annotation === 'x-opt-offset' && text === LATEST) return { by: 'latest' };
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  const value = Number(text);
  switch (annotation) {
    case 'x-opt-offset':
      return value <= START ? { by: 'start' } : { by: 'offset', value, inclusive };
    case 'x-opt-sequence-number':
      return { by: 'sequenceNumber', value, inclusive };
    default:
      return { by: 'enqueuedTime', value, inclusive };
  }
}
