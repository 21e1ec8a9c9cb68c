import type { EpochMs } from './epoch-ms.ts';

/** A time as ISO 8601 in UTC. Null: there is none. */
export function isoTime(at: EpochMs | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}
