import { valueEnd } from './encoding.ts';

/** Bytes of a protocol header, and of the smallest frame. */
const SMALLEST = 8;
const HEADER = Buffer.from('AMQP', 'ascii');

/**
 * Splits the data of a client into complete frames and passes only well-formed ones. rhea would wait for a frame of
 * four gigabytes, and would allocate as many elements as the header of an array says.
 */
export class FrameGate {
  readonly #maxFrameSize: number;
  /** The start of an incomplete frame. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxFrameSize: number) {
    this.#maxFrameSize = maxFrameSize;
  }

  /**
   * Adds a chunk and returns the frames and protocol headers that are now complete.
   *
   * @throws Error if the data is not AMQP or too large. The rest of the stream cannot be read.
   */
  push(chunk: Buffer): Buffer {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= SMALLEST) {
      const size = this.#sizeAt(bytes, at);
      if (size > bytes.length - at) break;
      if (!isHeader(bytes, at)) checkFrame(bytes.subarray(at, at + size));
      at += size;
    }
    this.#rest = bytes.subarray(at);
    return bytes.subarray(0, at);
  }

  #sizeAt(bytes: Buffer, at: number): number {
    if (isHeader(bytes, at)) return SMALLEST;
    const size = bytes.readUInt32BE(at);
    if (size < SMALLEST || size > this.#maxFrameSize) {
      throw new Error(
        `The size of a frame is ${size} bytes. It must be ${SMALLEST} to ${this.#maxFrameSize}.`,
      );
    }
    return size;
  }
}

/** Whether the bytes are a protocol header. Read as the size of a frame, its four letters exceed every limit. */
function isHeader(bytes: Buffer, at: number): boolean {
  return bytes.compare(HEADER, 0, HEADER.length, at, at + HEADER.length) === 0;
}

/** Checks that a frame is empty (a heartbeat) or begins with a performative, which is a described list. */
function checkFrame(frame: Buffer): void {
  const bodyAt = frame.readUInt8(4) * 4;
  if (bodyAt < SMALLEST || bodyAt > frame.length)
    throw new Error(`The body of a frame begins at byte ${bodyAt}, outside the frame.`);
  if (bodyAt === frame.length) return;
  if (frame[bodyAt] !== 0x00) throw new Error('A frame contains no performative.');
  valueEnd(frame, bodyAt);
}
