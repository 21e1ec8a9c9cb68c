import { isUtf8 } from 'node:buffer';
import { BerthError } from '../../errors.ts';
import { jsonHazard } from '../../json/json.ts';

/**
 * DPS bounds its messages to 96 KB (DPS limits); a request around one is smaller than this whatever the
 * enrollment holds.
 */
export const MAX_REQUEST_BYTES = 256 * 1024;
/** Twins are at most 10 deep and payloads rarely more; a deeper body is an attempt to exhaust the stack. */
const MAX_DEPTH = 32;

/**
 * Reads a request body as JSON that is safe to walk and to merge.
 *
 * @throws BerthError `BERTH_REQUEST_TOO_LARGE`, `BERTH_REQUEST_NOT_JSON`, or `BERTH_REQUEST_INVALID` for a
 *   key `__proto__` or a depth over 32.
 */
export function readRequestBody(body: Uint8Array): unknown {
  if (body.byteLength > MAX_REQUEST_BYTES) {
    throw new BerthError(
      'BERTH_REQUEST_TOO_LARGE',
      `The request body has ${body.byteLength} bytes; at most ${MAX_REQUEST_BYTES} are read.`,
    );
  }
  if (body.byteLength === 0) {
    throw new BerthError('BERTH_REQUEST_NOT_JSON', 'The request body is empty; DPS sends a JSON object.');
  }
  const json = parse(body);
  if (json === undefined) throw new BerthError('BERTH_REQUEST_NOT_JSON', 'The request body is not JSON.');
  const hazard = jsonHazard(json, MAX_DEPTH);
  if (hazard === undefined) return json;
  const what =
    hazard === '__proto__' ? 'holds the key "__proto__"' : `is nested deeper than ${MAX_DEPTH} levels`;
  throw new BerthError('BERTH_REQUEST_INVALID', `The request body ${what}.`);
}

/** Undefined for what is not UTF-8 or not JSON. The parser's own words quote the text, which may hold a key. */
function parse(body: Uint8Array): unknown {
  if (!isUtf8(body)) return undefined;
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
