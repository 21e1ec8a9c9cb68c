/** A text as JSON; undefined where it is none. */
export function parsedJson(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** The patch that sets one value at a path with dots: `patchAt('a.b', 1)` is `{ a: { b: 1 } }`. */
export function patchAt(path: string, value: unknown): Readonly<Record<string, unknown>> {
  const keys = path.split('.');
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Readonly<
    Record<string, unknown>
  >;
}
