import { isObject, jsonOrUndefined } from '../json/json.ts';
import { type Refusal, type RestFailure, troubleText, unexpectedAnswer } from '../rest/failure.ts';
import { DpsError, type DpsErrorCode } from './port.ts';

/** Berth's error for a failed call to DPS, or to Azure Resource Manager. */
export function dpsErrorOf(failure: RestFailure): DpsError {
  switch (failure.kind) {
    case 'refused':
      return refusedBy(failure);
    case 'noToken':
      return new DpsError('BERTH_DPS_UNAUTHORIZED', troubleText(failure));
    case 'timeout':
      return new DpsError('BERTH_DPS_TIMEOUT', troubleText(failure));
    case 'unreachable':
    case 'unexpected':
      return new DpsError('BERTH_DPS_UNAVAILABLE', troubleText(failure));
    case 'notJson':
      return unexpectedDpsAnswer(failure.host, failure.method);
  }
}

/** The error for an answer that the API of DPS does not describe. */
export function unexpectedDpsAnswer(host: string, method: string): DpsError {
  return dpsErrorOf(unexpectedAnswer(host, method));
}

function refusedBy({ host, method, status, body }: Refusal): DpsError {
  const said = saidIn(body);
  const message = `${host} answered ${method} with ${status}${said === '' ? '' : `: ${said}`}.`;
  return new DpsError(codeOf(status), message, status);
}

function codeOf(status: number): DpsErrorCode {
  switch (status) {
    case 401:
    case 403:
      return 'BERTH_DPS_UNAUTHORIZED';
    case 404:
      return 'BERTH_DPS_NOT_FOUND';
    // 409: another writer created it meanwhile (azure-iot-sdk-csharp#3076).
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
/**
 * Texts that may be secrets: the query of a URL, tokens, and base64 long enough for a key. Messages must not
 * contain them.
 */
const SECRETS = [
  /\?[^\s"']*/g,
  /SharedAccessSignature[^"']*/gi,
  /Bearer\s+\S+/gi,
  /[A-Za-z0-9+/_-]{22,}={0,2}/g,
];

/** Code and message of an error body: `{errorCode, message}` of DPS, `{error: {code, message}}` of ARM. */
function saidIn(body: string): string {
  const json = jsonOrUndefined(body);
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
      // The text is shown on a terminal.
      .replace(/[\p{Cc}\p{Cf}]/gu, '')
      .replace(/\.$/, '')
      .slice(0, LONGEST)
  );
}
