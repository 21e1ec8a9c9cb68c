import type { Known } from '../../twin/events/fold.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';

/** What is stored about a twin, and the version of the row that it was read from. */
export interface TwinRecord {
  readonly id: TwinId;
  readonly known: Known;
  readonly etag: string | undefined;
  /** It may have been changed by another instance since: a save finds that out. */
  readonly isRemembered: boolean;
}
