import { BerthError } from '../../errors.ts';
import type { NewerFormat } from '../../json/document-format.ts';

/** A row of a newer package that was read. */
export interface MetNewerFormat extends NewerFormat {
  /** The owner of the document, such as `HOST|DEVICE`. Not a secret. */
  readonly of: string;
}

/** Called with each row of a newer package that is read. Does not throw. */
export type OnNewerFormat = (met: MetNewerFormat) => void;

/** A row was written by a newer package. This package neither uses nor overwrites it. */
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
 * Whether the events of a failed batch must be delivered again. Nothing is lost while they wait in the Event Hub.
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
