import type { NewerFormat } from '../../json/document-format.ts';
import type { Known } from '../../twin/events/fold.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';

/** A twin that a newer package has stored: it is left alone, because nothing is known of it. */
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
  /** It may have been changed by another instance since: a save finds that out. */
  readonly isRemembered: boolean;
}
