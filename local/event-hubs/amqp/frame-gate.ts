import { valueEnd } from '../message/encoding.ts';

/** Bytes of a protocol header, and of the smallest frame. */
const SMALLEST = 8;
const HEADER = Buffer.from('AMQP', 'ascii');

/**
 * Cuts what a client sends into whole frames and lets only those through that are well formed: rhea would
 * wait for a frame of four gigabytes, and allocate as many elements as an array claims to have.
 */
export class FrameGate {
  readonly #maxFrameSize: number;
  /** The beginning of a frame whose rest has not come. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxFrameSize: number) {
    this.#maxFrameSize = maxFrameSize;
  }

  /**
   * The frames, and protocol headers, that are complete with this chunk.
   *
   * @throws Error for what is no AMQP or too large; the stream cannot be understood from there on.
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
        `A frame of ${size} bytes was announced; ${SMALLEST} to ${this.#maxFrameSize} are possible.`,
      );
    }
    return size;
  }
}

/** As the size of a frame these four letters would be over any limit. */
function isHeader(bytes: Buffer, at: number): boolean {
  return bytes.compare(HEADER, 0, HEADER.length, at, at + HEADER.length) === 0;
}

/** A frame is empty (a sign of life), or begins with a performative: a described list. */
function checkFrame(frame: Buffer): void {
  const bodyAt = frame.readUInt8(4) * 4;
  if (bodyAt < SMALLEST || bodyAt > frame.length)
    throw new Error(`A frame begins its body at byte ${bodyAt}.`);
  if (bodyAt === frame.length) return;
  if (frame[bodyAt] !== 0x00) throw new Error('A frame holds no performative.');
  valueEnd(frame, bodyAt);
}
