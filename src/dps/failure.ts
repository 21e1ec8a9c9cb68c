import { saidIn } from '../rest/error-body.ts';
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
  const said = saidIn(body, SECRETS);
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
