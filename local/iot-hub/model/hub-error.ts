import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../../src/json/json.ts';

/**
 * Name, HTTP status and code of each refusal
 * (learn.microsoft.com/rest/api/iothub/common-error-codes).
 */
const REFUSALS = {
  GenericBadRequest: { status: 400, code: 400000 },
  InvalidProtocolVersion: { status: 400, code: 400001 },
  ArgumentInvalid: { status: 400, code: 400004 },
  ArgumentNull: { status: 400, code: 400005 },
  IotHubFormatError: { status: 400, code: 400006 },
  InvalidConfigurationTargetCondition: { status: 400, code: 400401 },
  InvalidConfigurationContent: { status: 400, code: 400402 },
  CannotModifyImmutableConfigurationContent: { status: 400, code: 400403 },
  InvalidConfigurationCustomMetricsQuery: { status: 400, code: 400404 },
  BlobContainerValidationError: { status: 400, code: 400008 },
  IotHubUnauthorizedAccess: { status: 401, code: 401002 },
  IotHubUnauthorized: { status: 401, code: 401003 },
  SystemModuleModifyUnauthorizedAccess: { status: 401, code: 401100 },
  JobQuotaExceeded: { status: 403, code: 403003 },
  IotHubQuotaExceeded: { status: 403, code: 403002 },
  DeviceMaximumQueueDepthExceeded: { status: 403, code: 403004 },
  DeviceModelMaxPropertiesExceeded: { status: 403, code: 403100 },
  DeviceMaximumActiveFileUploadLimitExceeded: { status: 403, code: 403006 },
  IotHubNotFound: { status: 404, code: 401001 },
  DeviceNotFound: { status: 404, code: 404001 },
  JobNotFound: { status: 404, code: 404002 },
  DeviceNotOnline: { status: 404, code: 404103 },
  IotHubFailingOver: { status: 404, code: 404012 },
  ModuleNotFound: { status: 404, code: 404010 },
  ConfigurationNotFound: { status: 404, code: 404301 },
  InvalidOperation: { status: 404, code: 400003 },
  DeviceAlreadyExists: { status: 409, code: 409001 },
  JobAlreadyExists: { status: 409, code: 409002 },
  ModuleAlreadyExistsOnDevice: { status: 409, code: 409301 },
  ConfigurationAlreadyExists: { status: 409, code: 409401 },
  ApplyConfigurationAlreadyInProgressOnDevice: { status: 409, code: 409402 },
  PreconditionFailed: { status: 412, code: 412001 },
  DeviceMessageLockLost: { status: 412, code: 412002 },
  RequestTooLarge: { status: 413, code: 413001 },
  TooManyModulesOnDevice: { status: 413, code: 413003 },
  ConfigurationCountLimitExceeded: { status: 413, code: 413101 },
  ThrottlingException: { status: 429, code: 429001 },
  ThrottlingMaxActiveJobCountExceeded: { status: 429, code: 429004 },
  /** Not in Azure: the local hub does not have this feature. */
  NotInLocalHub: { status: 501, code: 501000 },
  ServerError: { status: 500, code: 500001 },
  GatewayTimeout: { status: 504, code: 504101 },
  ServiceUnavailable: { status: 503, code: 503001 },
} as const;

export type RefusalName = keyof typeof REFUSALS;

/** The hub refuses an operation. The client can see the message. */
export class HubRefusal extends Error {
  readonly refusal: RefusalName;
  readonly status: number;
  readonly code: number;

  constructor(refusal: RefusalName, message: string) {
    super(message);
    this.name = 'HubError';
    this.refusal = refusal;
    this.status = REFUSALS[refusal].status;
    this.code = REFUSALS[refusal].code;
  }
}

/**
 * The error object for devices over MQTT. Twin operations of the service API contain it in `Message`.
 */
export function errorDocument(error: HubRefusal, now: number): JsonObject {
  return {
    errorCode: error.code,
    trackingId: trackingId(now),
    message: error.message,
    timestampUtc: new Date(now).toISOString(),
  };
}

/**
 * The body of a refused service call. Azure uses two forms (azure-iot-sdk-csharp#2419 and its ExceptionHandlingHelper).
 * The gateway and the identity registry write `ErrorCode:Name;text`. The twin store writes an error object as text into
 * the same field.
 */
export function errorBody(error: HubRefusal, form: 'text' | 'document', now: number): JsonObject {
  if (form === 'document') {
    return { Message: JSON.stringify(errorDocument(error, now)), ExceptionMessage: '' };
  }
  return {
    Message: `ErrorCode:${error.refusal};${error.message}`,
    ExceptionMessage: `Tracking ID:${trackingId(now)}`,
  };
}

/** @example '0145380c335046479275c10be0eb278f-G:0-TimeStamp:11/10/2016 08:37:23' */
function trackingId(now: number): string {
  const [year, month, day, time] = new Date(now).toISOString().split(/[-T.]/);
  return `${randomUUID().replaceAll('-', '')}-G:0-TimeStamp:${month}/${day}/${year} ${time}`;
}
