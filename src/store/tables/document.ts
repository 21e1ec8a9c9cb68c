import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { JsonValue } from '../../json/json.ts';

/** A binary property holds at most 64 KiB (Azure Table storage data model). */
const MAX_PROPERTY_BYTES = 64 * 1024;
/** The largest document that is read. Berth stores much smaller ones. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/**
 * Most documents have 1 to 8 KiB. For them, zlib's default sizes cost about as much time as the compression: 256 KiB of tables, and 16 KiB
 * for each part of the result. With these sizes, the result is as small, and a receipt takes almost a third less time in a running app (decision 40).
 */
const DEFLATE = { windowBits: 13, memLevel: 5, chunkSize: 2 * 1024 };

/** JSON as deflated binary properties `doc0`, `doc1`, … of an entity. */
export function packDocument(value: unknown): Record<string, Uint8Array> {
  return packText(JSON.stringify(value));
}

/** Like `packDocument`, for a JSON text. */
export function packText(json: string): Record<string, Uint8Array> {
  const bytes = deflateRawSync(Buffer.from(json, 'utf8'), DEFLATE);
  const pieces: [string, Uint8Array][] = [];
  for (let offset = 0; offset < bytes.length; offset += MAX_PROPERTY_BYTES) {
    pieces.push([`doc${pieces.length}`, bytes.subarray(offset, offset + MAX_PROPERTY_BYTES)]);
  }
  return Object.fromEntries(pieces);
}

/** The JSON of an entity's `doc…` properties. @throws if they are missing or damaged. */
export function unpackDocument(entity: Readonly<Record<string, unknown>>): JsonValue {
  const pieces: Uint8Array[] = [];
  for (let index = 0; entity[`doc${index}`] instanceof Uint8Array; index += 1) {
    pieces.push(entity[`doc${index}`] as Uint8Array);
  }
  const bytes = inflateRawSync(Buffer.concat(pieces), { maxOutputLength: MAX_DOCUMENT_BYTES });
  return JSON.parse(bytes.toString('utf8')) as JsonValue;
}
