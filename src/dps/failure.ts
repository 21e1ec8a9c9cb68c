import { isObject } from '../json/json.ts';
import { DpsError, type DpsErrorCode } from './port.ts';

/** Berth's error for a failed response of DPS, or of Azure Resource Manager. */
export function failureOf(host: string, method: string, status: number, body: string): DpsError {
  const said = saidIn(body);
  return new DpsError(
    codeOf(status),
    `${host} answered ${method} with ${status}${said === '' ? '' : `: ${said}`}.`,
    status,
  );
}

function codeOf(status: number): DpsErrorCode {
  switch (status) {
    case 401:
    case 403:
      return 'BERTH_DPS_UNAUTHORIZED';
    case 404:
      return 'BERTH_DPS_NOT_FOUND';
    // 409: created by somebody else in between (azure-iot-sdk-csharp#3076).
    case 409:
    case 412:
      return 'BERTH_DPS_PRECONDITION_FAILED';
    case 408:
      return 'BERTH_DPS_TIMEOUT';
    case 429:
      return 'BERTH_DPS_THROTTLED';
    default:
      return status >= 500 ? 'BERTH_DPS_UNAVAILABLE' : 'BERTH_DPS_REFUSED';
  }
}

const LONGEST = 300;
/** A base64 text that is long enough for a key, the query of a URL, and a token: none may come out again. */
const SECRETS = [
  /\?[^\s"']*/g,
  /SharedAccessSignature[^"']*/gi,
  /Bearer\s+\S+/gi,
  /[A-Za-z0-9+/_-]{22,}={0,2}/g,
];

/** The code and the sentence of an error body: `{errorCode, message}` of DPS, `{error: {code, message}}` of ARM. */
function saidIn(body: string): string {
  const json = parse(body);
  const inner = isObject(json) && isObject(json.error) ? json.error : json;
  if (!isObject(inner)) return '';
  const code = inner.errorCode ?? inner.code;
  const message = typeof inner.message === 'string' ? inner.message : '';
  const masked = SECRETS.reduce((text, secret) => text.replace(secret, '****'), message);
  return (
    [typeof code === 'number' || typeof code === 'string' ? String(code) : '', masked]
      .filter((part) => part !== '')
      .join(' ')
      .replace(/\s+/g, ' ')
      // Somebody reads it on a terminal.
      .replace(/[\p{Cc}\p{Cf}]/gu, '')
      .replace(/\.$/, '')
      .slice(0, LONGEST)
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
