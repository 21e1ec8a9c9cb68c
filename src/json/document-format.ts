/*
 * Stored documents have the number of their format beside them. A package reads its own format, upgrades older ones, and
 * leaves newer ones alone: it cannot know what it would lose of them. Pure.
 */

/** Turns a document of one format into the next one. May throw where the document is damaged. */
export type UpgradeStep = (document: unknown) => unknown;

/** How one kind of stored document is read. */
export interface DocumentFormat<Value> {
  /** What it is, for messages and logs: `snapshot`. */
  readonly document: string;
  /** The first one makes format 2 of format 1, and so on: this package writes the format after the last one. */
  readonly steps: readonly UpgradeStep[];
  /** The format of a document without a number; undefined: such a document is damaged. */
  readonly unnumbered?: number;
  /** Reads a document of the format that this package writes. Undefined: it is damaged. May throw then, too. */
  readonly read: (document: unknown) => Value | undefined;
}

/** A document of a newer package, in a format that this one does not know. */
export interface NewerFormat {
  readonly document: string;
  /** The format that was met. */
  readonly format: number;
  /** The newest format that this package knows. */
  readonly known: number;
}

/** What became of reading a document. */
export type ReadDocument<Value> =
  | { readonly kind: 'known'; readonly value: Value }
  | { readonly kind: 'newer'; readonly newer: NewerFormat }
  | { readonly kind: 'damaged' };

const DAMAGED = { kind: 'damaged' } as const;

/** The number of the format that this package writes. */
export function presentFormat({ steps }: Pick<DocumentFormat<unknown>, 'steps'>): number {
  return steps.length + 1;
}

/** The newer format that a number beside a document says; undefined: this package knows the format, or it is no number of one. */
export function newerFormat(
  { document, steps }: Pick<DocumentFormat<unknown>, 'document' | 'steps'>,
  number: unknown,
): NewerFormat | undefined {
  const known = presentFormat({ steps });
  return isFormat(number) && number > known ? { document, format: number, known } : undefined;
}

/**
 * Reads a stored document: an older one is upgraded first.
 *
 * @param number what is stored as the number of its format.
 * @param open gives the document; not called for a newer one. May throw where it is damaged.
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

/** A document after all steps from its format on. @throws what a step throws */
export function upgrade(steps: readonly UpgradeStep[], from: number, document: unknown): unknown {
  return steps.slice(from - 1).reduce((upgraded, step) => step(upgraded), document);
}

function isFormat(number: unknown): number is number {
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 1;
}
