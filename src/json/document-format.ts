/*
 * Formats of stored documents. The number of the format is stored next to the document. A package reads its own format and
 * upgrades older ones. It does not touch a newer one, because it could lose a part that it does not know. Pure.
 */

/** Turns a document of one format into the next format. May throw if the document is damaged. */
export type UpgradeStep = (document: unknown) => unknown;

/** How one kind of stored document is read. */
export interface DocumentFormat<Value> {
  /** What it is, for messages and logs: `snapshot`. */
  readonly document: string;
  /** The first step turns format 1 into format 2, and so on. This package writes the format after the last step. */
  readonly steps: readonly UpgradeStep[];
  /** The format of a document without a number; undefined: such a document is damaged. */
  readonly unnumbered?: number;
  /** Reads a document in the format that this package writes. Returns undefined or throws if it is damaged. */
  readonly read: (document: unknown) => Value | undefined;
}

/** A document of a newer package, in a format that this one does not know. */
export interface NewerFormat {
  readonly document: string;
  /** The format of the stored document. */
  readonly format: number;
  /** The newest format that this package knows. */
  readonly known: number;
}

/** The result of reading a document. */
export type ReadDocument<Value> =
  | { readonly kind: 'known'; readonly value: Value }
  | { readonly kind: 'newer'; readonly newer: NewerFormat }
  | { readonly kind: 'damaged' };

const DAMAGED = { kind: 'damaged' } as const;

/** The number of the format that this package writes. */
export function presentFormat({ steps }: Pick<DocumentFormat<unknown>, 'steps'>): number {
  return steps.length + 1;
}

/** The newer format that a stored number names. Undefined: this package knows the format, or the number is damaged. */
export function newerFormat(
  { document, steps }: Pick<DocumentFormat<unknown>, 'document' | 'steps'>,
  number: unknown,
): NewerFormat | undefined {
  const known = presentFormat({ steps });
  return isFormat(number) && number > known ? { document, format: number, known } : undefined;
}

/**
 * Reads a stored document. An older one is upgraded first.
 *
 * @param number the stored number of its format.
 * @param open gives the document; not called for a newer one. May throw if the document is damaged.
 * @example
 * readDocument(CONTROL_FORMAT, row.properties.format, () => unpackDocument(row.properties));
 */
export function readDocument<Value>(
  format: DocumentFormat<Value>,
  number: unknown,
  open: () => unknown,
): ReadDocument<Value> {
  const newer = newerFormat(format, number);
  if (newer !== undefined) return { kind: 'newer', newer };
  const from = number === undefined ? format.unnumbered : number;
  if (!isFormat(from)) return DAMAGED;
  try {
    const value = format.read(upgrade(format.steps, from, open()));
    return value === undefined ? DAMAGED : { kind: 'known', value };
  } catch {
    return DAMAGED;
  }
}

/** The document after all steps that follow its format. @throws what a step throws */
export function upgrade(steps: readonly UpgradeStep[], from: number, document: unknown): unknown {
  return steps.slice(from - 1).reduce((upgraded, step) => step(upgraded), document);
}

function isFormat(number: unknown): number is number {
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 1;
}
