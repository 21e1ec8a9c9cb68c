/** What counts in the size of a message. System properties have no names here: only their values count. */
export interface SizedMessage {
  readonly body: Buffer;
  readonly system: Iterable<string>;
  readonly application: Iterable<readonly [name: string, value: string | null]>;
}

/**
 * The size of a message in bytes: its body, the values of its system properties, and the names and values of its application
 * properties (iot-hub-devguide-messages-construct.md).
 *
 * @example sizeOfMessage({ body: Buffer.from('ab'), system: ['m-1'], application: [['k', 'v']] }) // 7
 */
export function sizeOfMessage({ body, system, application }: SizedMessage): number {
  let bytes = body.length;
  for (const value of system) bytes += Buffer.byteLength(value);
  for (const [name, value] of application) bytes += Buffer.byteLength(name) + Buffer.byteLength(value ?? '');
  return bytes;
}
