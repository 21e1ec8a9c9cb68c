/**
 * Makes a value at the first call; all calls share it. A failure is not kept: the next call tries again.
 *
 * @example
 * const instance = once(async () => new Instance(options));
 */
export function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
