import { BerthError } from '../../errors.ts';
import type { NewerFormat } from '../../json/document-format.ts';

/** A row of a newer package that was met, and which one. */
export interface MetNewerFormat extends NewerFormat {
  /** Whose document it is, such as `HOST|DEVICE`; no secret. */
  readonly of: string;
}

/** Told of each row of a newer package that is met. Does not throw. */
export type OnNewerFormat = (met: MetNewerFormat) => void;

/** A newer package has written a row: this one neither uses nor overwrites it. */
export class NewerFormatError extends BerthError {
  readonly met: MetNewerFormat;

  constructor(met: MetNewerFormat) {
    const { document, of, format, known } = met;
    super(
      'BERTH_FORMAT_NEWER',
      `The ${document} of ${of} has format ${format}, and this package knows formats up to ${known}: use the package that wrote it, or a newer one.`,
    );
    this.met = met;
  }
}

/**
 * For work whose input is only stored: it must come again, because nothing is lost while it waits.
 *
 * @example
 * if (mustComeAgain(error)) throw error; // and not a dead letter
 */
export function mustComeAgain(error: unknown): boolean {
  return (
    error instanceof BerthError &&
    (error.code === 'BERTH_STORE_UNAVAILABLE' || error.code === 'BERTH_FORMAT_NEWER')
  );
}
