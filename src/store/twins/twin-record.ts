import type { NewerFormat } from '../../json/document-format.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';

/** A twin that a newer package has stored. This package does not use it. */
export interface NewerTwin {
  readonly id: TwinId;
  readonly newer: NewerFormat;
}

export function isNewer(twin: TwinRecord | NewerTwin): twin is NewerTwin {
  return 'newer' in twin;
}

/** What is stored about a twin, and the version of the row that it was read from. */
export interface TwinRecord {
  readonly id: TwinId;
  readonly known: Known;
  readonly etag: string | undefined;
  /** It comes from memory, and another instance may have changed it. A save detects that. */
  readonly isRemembered: boolean;
}
