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
 * Whether a call failed because the hub was disabled or deleted. The hub then answers no call until the operator acts. A hub that
 * fails over or is down is not: it answers again soon.
 */
export function isDisabledOrDeleted({ status, hubCode }: HubError): boolean {
  return (status === 403 && isSuspended(hubCode)) || (status === 404 && isUnknownHub(hubCode));
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
  const advice = code === 'BERTH_HUB_UNAUTHORIZED' ? NEEDED_ROLES : adviceOnHub(status, hubCode);
  const message = advice === undefined ? `${answer}.` : `${answer}: ${advice}.`;
  return new HubError(code, message, { ...refusal, hubCode });
}

/** What is wrong with the whole hub. Roles do not matter then. */
function adviceOnHub(status: number, hubCode: string | undefined): string | undefined {
  if (status === 403 && isSuspended(hubCode)) {
    return 'the hub is disabled: look at its state, and at that of its subscription, in the Azure portal';
  }
  return status === 404 && isUnknownHub(hubCode)
    ? 'no hub answers with this host name: it was deleted, or the host in fleet.json is wrong'
    : undefined;
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
      if (isSuspended(hubCode)) return 'BERTH_HUB_UNAVAILABLE';
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
  // During a failover, a hub answers 404 for all its devices.
  const isFailingOver = hubCode === '404012' || hubCode === 'IotHubFailingOver';
  return isFailingOver || isUnknownHub(hubCode) ? 'BERTH_HUB_UNAVAILABLE' : 'BERTH_HUB_NOT_FOUND';
}

/** With status 403: the hub or its subscription is disabled (troubleshoot-error-codes.md). */
function isSuspended(hubCode: string | undefined): boolean {
  return hubCode === '403001' || hubCode === 'IotHubSuspended';
}

/** With status 404: the service does not know the hub itself. */
function isUnknownHub(hubCode: string | undefined): boolean {
  return hubCode === '401001' || hubCode === 'IotHubNotFound';
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
