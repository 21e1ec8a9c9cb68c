/** A performative as rhea 3.0.5 writes it. */
export interface Performative {
  /** The fields, up to the last one that is set. */
  readonly value: unknown[];
}

/** Fields of each performative, by its descriptor (OASIS AMQP 1.0, part 2, section 2.7). */
const FIELDS: ReadonlyMap<number | undefined, number> = new Map([
  [0x10, 10], // open
  [0x11, 8], // begin
  [0x12, 14], // attach
  [0x13, 11], // flow
  [0x14, 11], // transfer
  [0x15, 6], // disposition
  [0x16, 3], // detach
  [0x17, 1], // end
  [0x18, 1], // close
]);

/**
 * Adds the fields that rhea leaves out at the end of a frame, as nulls. AMQP allows to leave them out, but Azure writes them all
 * (`OnEncode` in Azure/azure-amqp, src/Framing; frame traces in Azure/iothub-explorer#57), and Microsoft's Event Hubs client for
 * Python reads them by their position.
 */
export function completeFields(performative: Performative): void {
  const { value } = performative;
  const count = FIELDS.get(descriptorOf(performative)) ?? value.length;
  for (let at = 0; at < count; at += 1) value[at] ??= null;
}

/** rhea keeps the descriptor in the class of the performative. */
function descriptorOf(performative: Performative): number | undefined {
  return (performative.constructor as { readonly descriptor?: { readonly numeric: number } }).descriptor
    ?.numeric;
}
