import { jsonOrUndefined, ownMember } from '../json/json.ts';
import { type Refusal, type RestFailure, troubleText, unexpectedAnswer } from '../rest/failure.ts';
import { HubError, type HubErrorCode } from './port.ts';

/** Berth's error for a failed call to a hub. */
export function hubErrorOf(failure: RestFailure): HubError {
  switch (failure.kind) {
    case 'refused':
      return refusedBy(failure);
    case 'noToken':
      return new HubError('BERTH_HUB_UNAUTHORIZED', troubleText(failure), failure);
    case 'timeout':
      return new HubError('BERTH_HUB_TIMEOUT', troubleText(failure), failure);
    case 'unreachable':
    case 'notJson':
    case 'unexpected':
      return new HubError('BERTH_HUB_UNAVAILABLE', troubleText(failure), failure);
  }
}

/** The error for an answer that the API of IoT Hub does not describe. */
export function unexpectedHubAnswer(host: string, method: string): HubError {
  return hubErrorOf(unexpectedAnswer(host, method));
}

/**
 * Two body formats and a header give the hub's own code. They may contradict the status. Then the status decides
 * (azure-iot-sdk-csharp ExceptionHandlingHelper; azure-iot-sdks#711).
 */
function refusedBy(refusal: Refusal): HubError {
  const { host, method, status } = refusal;
  const hubCode = hubCodeOf(refusal);
  const code = codeOf(status, hubCode);
  const answer = `${host} answered ${method} with ${status}${hubCode === undefined ? '' : ` ${hubCode}`}`;
  // 404: the service does not know the hub, and roles do not matter.
  const lacksRight = code === 'BERTH_HUB_UNAUTHORIZED' && status !== 404;
  const message = lacksRight ? `${answer}: ${NEEDED_ROLES}.` : `${answer}.`;
  return new HubError(code, message, { ...refusal, hubCode });
}

/** The roles that infra/ gives the app on each hub, for its twins. */
const NEEDED_ROLES =
  'the identity that calls needs the roles "IoT Hub Twin Contributor" and "IoT Hub Data Reader" on the hub';

function codeOf(status: number, hubCode: string | undefined): HubErrorCode {
  switch (status) {
    case 401:
      return 'BERTH_HUB_UNAUTHORIZED';
    case 403:
      if (hubCode === '403002' || hubCode === 'IotHubQuotaExceeded') return 'BERTH_HUB_QUOTA_EXCEEDED';
      return hubCode === '403012' || hubCode === 'DeviceDisabled'
        ? 'BERTH_HUB_NOT_FOUND'
        : 'BERTH_HUB_UNAUTHORIZED';
    case 404:
      return codeOfNotFound(hubCode);
    case 409:
    case 412:
      return 'BERTH_HUB_PRECONDITION_FAILED';
    case 408:
      return 'BERTH_HUB_TIMEOUT';
    case 429:
      return 'BERTH_HUB_THROTTLED';
    default:
      return status >= 500 ? 'BERTH_HUB_UNAVAILABLE' : 'BERTH_HUB_REFUSED';
  }
}

/** Separates a missing twin from a hub that cannot be found or fails over. */
function codeOfNotFound(hubCode: string | undefined): HubErrorCode {
  switch (hubCode) {
    // During a failover, a hub answers 404 for all its devices.
    case '404012':
    case 'IotHubFailingOver':
      return 'BERTH_HUB_UNAVAILABLE';
    // 401001 with status 404: the service does not know the hub itself.
    case '401001':
    case 'IotHubNotFound':
      return 'BERTH_HUB_UNAUTHORIZED';
    default:
      return 'BERTH_HUB_NOT_FOUND';
  }
}

/** The hub's own code: a number in the newer body format, or a name in the older format or the header. */
function hubCodeOf({ headers, body }: Refusal): string | undefined {
  const message = ownMember(jsonOrUndefined(body), 'Message');
  if (typeof message === 'string') {
    const number = ownMember(jsonOrUndefined(message), 'errorCode');
    if (typeof number === 'number') return String(number);
    const name = /ErrorCode:([A-Za-z0-9]+)/.exec(message)?.[1];
    if (name !== undefined) return name;
  }
  const header = headers['iothub-errorcode'];
  return typeof header === 'string' ? header.slice(0, 60) : undefined;
}
