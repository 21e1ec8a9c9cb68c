import { saidIn } from '../rest/error-body.ts';
import { type Refusal, type RestFailure, troubleText } from '../rest/failure.ts';
import { ArmError, type ArmErrorCode } from './port.ts';

/** Keys and tokens. Resource ids and actions stay readable, because they say what is missing. */
const SECRETS = [
  /(SharedAccessKey|AccountKey|sig)=[^;&"'\s]+/gi,
  /SharedAccessSignature[^"']*/gi,
  /Bearer\s+\S+/gi,
  /[A-Za-z0-9+/]{42,}={1,2}/g,
];

/** Berth's error for a failed call of Azure Resource Manager. */
export function armErrorOf(failure: RestFailure): ArmError {
  switch (failure.kind) {
    case 'refused':
      return refusedBy(failure);
    case 'noToken':
      return new ArmError('BERTH_AZURE_UNAUTHORIZED', troubleText(failure));
    case 'timeout':
      return new ArmError('BERTH_AZURE_TIMEOUT', troubleText(failure));
    case 'unreachable':
    case 'unexpected':
    case 'notJson':
      return new ArmError('BERTH_AZURE_UNAVAILABLE', troubleText(failure));
  }
}

function refusedBy({ host, method, status, body, retryAfterMs }: Refusal): ArmError {
  const said = saidIn(body, SECRETS);
  const message = `${host} answered ${method} with ${status}${said === '' ? '' : `: ${said}`}.`;
  return new ArmError(codeOf(status), message, { status, retryAfterMs });
}

function codeOf(status: number): ArmErrorCode {
  switch (status) {
    case 401:
    case 403:
      return 'BERTH_AZURE_UNAUTHORIZED';
    case 404:
      return 'BERTH_AZURE_NOT_FOUND';
    case 412:
      return 'BERTH_AZURE_PRECONDITION_FAILED';
    case 408:
      return 'BERTH_AZURE_TIMEOUT';
    case 429:
      return 'BERTH_AZURE_THROTTLED';
    default:
      return status >= 500 ? 'BERTH_AZURE_UNAVAILABLE' : 'BERTH_AZURE_REFUSED';
  }
}
