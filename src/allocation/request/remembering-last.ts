/**
 * Remembers the last result for a list of texts: nearly all requests to a webhook contain the same list of hubs, and a comparison takes a
 * tenth of the time of reading it.
 *
 * @param compute must depend on nothing else. All callers share its result.
 */
export function rememberingLast<Result>(
  compute: (texts: readonly string[]) => Result,
): (texts: readonly string[]) => Result {
  let last: { readonly texts: readonly string[]; readonly result: Result } | undefined;
  return (texts) => {
    if (last === undefined || !areEqual(last.texts, texts)) last = { texts, result: compute(texts) };
    return last.result;
  };
}

function areEqual(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
