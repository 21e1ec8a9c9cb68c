import { isObject } from '../json/json.ts';
import { hubTime } from './hub-time.ts';
import { HubError, type HubErrorCode } from './port.ts';

/** A response of IoT Hub that is not a success. */
export interface FailedResponse {
  readonly host: string;
  readonly method: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/**
 * Berth's error for a failed response. Two body formats and a header say more than the status, and may
 * disagree; the status wins (azure-iot-sdk-csharp ExceptionHandlingHelper; azure-iot-sdks#711).
 */
export function failureOf(response: FailedResponse): HubError {
  const { host, method, status } = response;
  const hubCode = hubCodeOf(response);
  return new HubError(
    codeOf(status, hubCode),
    `${host} answered ${method} with ${status}${hubCode === undefined ? '' : ` ${hubCode}`}.`,
    {
      host,
      status,
      hubCode,
      retryAfterMs: retryAfter(response.headers['retry-after']),
      mayHaveApplied: status >= 500,
      answeredAt: hubTime(response.headers),
    },
  );
}

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

/** What says that a twin is gone, and not that nothing of the hub can be found now. */
function codeOfNotFound(hubCode: string | undefined): HubErrorCode {
  switch (hubCode) {
    // A hub that fails over answers 404 for every device it has.
    case '404012':
    case 'IotHubFailingOver':
      return 'BERTH_HUB_UNAVAILABLE';
    // 401001 with this status: the hub itself is not known where it was asked for.
    case '401001':
    case 'IotHubNotFound':
      return 'BERTH_HUB_UNAUTHORIZED';
    default:
      return 'BERTH_HUB_NOT_FOUND';
  }
}

/** The hub's own code: a number in the newer body format, a name in the older one or in the header. */
function hubCodeOf({ headers, body }: FailedResponse): string | undefined {
  const message = parse(body)?.Message;
  if (typeof message === 'string') {
    const number = parse(message)?.errorCode;
    if (typeof number === 'number') return String(number);
    const name = /ErrorCode:([A-Za-z0-9]+)/.exec(message)?.[1];
    if (name !== undefined) return name;
  }
  const header = headers['iothub-errorcode'];
  return typeof header === 'string' ? header.slice(0, 60) : undefined;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Seconds, or a date; neither is documented for hubs, so it is honoured where it is sent and never relied on.
 */
function retryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
