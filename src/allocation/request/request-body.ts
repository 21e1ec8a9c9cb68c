import { isAscii, isUtf8 } from 'node:buffer';
import { BerthError } from '../../errors.ts';
import { jsonHazard } from '../../json/json.ts';

/**
 * Largest request body. DPS limits its messages to 96 KB (DPS limits), so a request with any enrollment is
 * smaller than this.
 */
export const MAX_REQUEST_BYTES = 256 * 1024;
/** Twins have at most 10 levels, and payloads rarely more. This limit protects the stack. */
const MAX_DEPTH = 32;

/**
 * Reads a request body as JSON that is safe to traverse and to merge.
 *
 * @throws BerthError `BERTH_REQUEST_TOO_LARGE`, `BERTH_REQUEST_NOT_JSON`, or `BERTH_REQUEST_INVALID` for a
 *   key `__proto__` or a depth over 32.
 */
export function readRequestBody(body: Uint8Array): unknown {
  if (body.byteLength > MAX_REQUEST_BYTES) {
    throw new BerthError(
      'BERTH_REQUEST_TOO_LARGE',
      `The request body has ${body.byteLength} bytes; the limit is ${MAX_REQUEST_BYTES}.`,
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
    hazard === '__proto__' ? 'contains the key "__proto__"' : `is nested deeper than ${MAX_DEPTH} levels`;
  throw new BerthError('BERTH_REQUEST_INVALID', `The request body ${what}.`);
}

/**
 * Undefined if the body is not UTF-8 or not JSON. The message of the parser is not used: it quotes the text,
 * which may contain a key.
 */
function parse(body: Uint8Array): unknown {
  // Most requests are ASCII, which is read faster as Latin-1.
  const encoding = isAscii(body) ? 'latin1' : isUtf8(body) ? 'utf8' : undefined;
  if (encoding === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString(encoding));
  } catch {
    return undefined;
  }
}
