import type { RefusalName } from './hub-error.ts';

/**
 * The part of a device's connection that a fault ends. Links are named by their purpose; `Requests` and `Responses` are the two
 * directions.
 */
export type FaultTarget =
  | 'transport'
  | 'connection'
  | 'session'
  | 'telemetry'
  | 'cloudMessages'
  | 'twinRequests'
  | 'twinResponses'
  | 'methodRequests'
  | 'methodResponses';

/** A fault that a device asks for. Durations in milliseconds. */
export type InjectedFault =
  | { readonly kind: 'end'; readonly target: FaultTarget; readonly delayMs: number }
  | {
      readonly kind: 'refuse';
      readonly refusal: RefusalName;
      readonly delayMs: number;
      readonly durationMs: number;
    };

/* The names are those of azure-iot-sdk-csharp, e2e/test/helpers/templates/FaultInjectionConstants.cs. */
const ENDS: ReadonlyMap<unknown, FaultTarget> = new Map([
  ['KillTcp', 'transport'],
  ['ShutDownMqtt', 'transport'],
  ['ShutDownAmqp', 'connection'],
  ['KillAmqpConnection', 'connection'],
  ['KillAmqpCBSLinkReq', 'transport'],
  ['KillAmqpCBSLinkResp', 'transport'],
  ['KillAmqpSession', 'session'],
  ['KillAmqpD2CLink', 'telemetry'],
  ['KillAmqpC2DLink', 'cloudMessages'],
  ['KillAmqpTwinLinkReq', 'twinRequests'],
  ['KillAmqpTwinLinkResp', 'twinResponses'],
  ['KillAmqpMethodReqLink', 'methodRequests'],
  ['KillAmqpMethodRespLink', 'methodResponses'],
]);
const REFUSALS: ReadonlyMap<unknown, RefusalName> = new Map([
  ['InvokeThrottling', 'ThrottlingException'],
  ['InvokeMaxMessageQuota', 'IotHubQuotaExceeded'],
  ['InvokeAuthError', 'IotHubUnauthorizedAccess'],
]);

const TYPE = 'AzIoTHub_FaultOperationType';
const DELAY = 'AzIoTHub_FaultOperationDelayInSecs';
const DURATION = 'AzIoTHub_FaultOperationDurationInSecs';
/** Longest delay or duration. The device may ask for any. */
const MAX_SECONDS = 600;

/**
 * Reads the fault that a message asks for; undefined if it is an ordinary message. Microsoft's test suites use such messages. They
 * are not documented.
 */
export function readInjectedFault(application: ReadonlyMap<string, unknown>): InjectedFault | undefined {
  const type = application.get(TYPE);
  const delayMs = milliseconds(application.get(DELAY));
  const target = ENDS.get(type);
  if (target !== undefined) return { kind: 'end', target, delayMs };
  const refusal = REFUSALS.get(type);
  if (refusal === undefined) return undefined;
  return { kind: 'refuse', refusal, delayMs, durationMs: milliseconds(application.get(DURATION)) };
}

function milliseconds(value: unknown): number {
  const seconds = Number(value ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MAX_SECONDS) * 1_000 : 0;
}
