import type { Sender } from 'rhea';

const SELECTOR_FILTER = 'apache.org:selector-filter:string';
const EPOCH = 'com.microsoft:epoch';
const RECEIVER_NAME = 'com.microsoft:receiver-name';
export const RUNTIME_METRICS = 'com.microsoft:enable-receiver-runtime-metric';

/** The options of a client that attaches to read a partition. */
export interface ReaderRequest {
  /** Text of the selector filter; empty for a filter without text. */
  readonly filter: string | undefined;
  readonly name: string;
  readonly epoch: number | undefined;
  readonly runtimeMetrics: boolean;
}

/** Reads the attach frame of a client. Every value in it can be missing or of a wrong type. */
export function readReaderRequest(sender: Sender): ReaderRequest {
  const properties: Record<string, unknown> = sender.properties ?? {};
  const filters: Record<string, unknown> = sender.source?.filter ?? {};
  const name = properties[RECEIVER_NAME];
  return {
    filter: SELECTOR_FILTER in filters ? text(filters[SELECTOR_FILTER]) : undefined,
    name: typeof name === 'string' && name !== '' ? name : 'nil',
    epoch: integer(properties[EPOCH]),
    runtimeMetrics: [sender.desired_capabilities].flat().includes(RUNTIME_METRICS),
  };
}

/** A filter is a described value: a string, or (older Python SDKs) a binary. */
function text(filter: unknown): string {
  const value: unknown =
    typeof filter === 'object' && filter !== null && 'value' in filter ? filter.value : filter;
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('utf8') : '';
}

/** A number. rhea returns a long beyond 2^53 as eight bytes. */
function integer(value: unknown): number | undefined {
  if (Buffer.isBuffer(value) && value.length === 8) return Number(value.readBigInt64BE());
  return typeof value === 'number' ? value : undefined;
}
