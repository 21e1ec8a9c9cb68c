/** The most rows of a transaction (Azure Table storage entity group transactions). */
const MAX_ACTIONS = 100;
/** A transaction may have 4 MiB. The rest is for the text around the rows. */
const MAX_BYTES = 3 * 1024 * 1024;

/** Splits items into chunks that fit into a transaction. One row for each item. */
export function chunksOf<Item>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
): readonly (readonly Item[])[] {
  const chunks: Item[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    const last = chunks.at(-1);
    if (last === undefined || last.length === MAX_ACTIONS || bytes + size > MAX_BYTES) {
      chunks.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return chunks;
}

/** The approximate size of a row in the body of a transaction, in which bytes are base64. */
export function sizeInTransaction(properties: Readonly<Record<string, unknown>>): number {
  return Object.values(properties).reduce<number>(
    (sum, value) =>
      sum + (value instanceof Uint8Array ? value.byteLength * 1.4 : JSON.stringify(value).length * 2),
    1_500,
  );
}
