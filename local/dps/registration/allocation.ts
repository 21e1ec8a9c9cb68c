import { isObject, type JsonObject, ownMember } from '../../../src/json/json.ts';
import { parseJsonText } from '../../iot-hub/model/json.ts';
import { type EnrollmentTwin, readInitialTwin } from '../enrollments/initial-twin.ts';
import { REGISTRATION_FAILURES, type RegistrationFailure } from './dps-error.ts';
import type { WebhookResponse } from './webhook.ts';

/** Where a device shall go, and what the webhook adds. */
export type RegistrationAllocation =
  | {
      readonly result: 'hub';
      readonly host: string;
      /** Undefined: the webhook gave none. */
      readonly initialTwin?: EnrollmentTwin;
      /** For the device. */
      readonly payload?: JsonObject;
    }
  | FailedAllocation;

export type FailedAllocation = { readonly result: 'failed' } & RegistrationFailure;

/**
 * What DPS makes of the answer of a webhook (tutorial-custom-allocation-policies.md, "Troubleshooting"). That
 * a hub which is not among the linked ones, an answer that is no JSON and a payload that is no object fail
 * the registration is assumed, or seen in tests.
 */
export function readWebhookAnswer(
  response: WebhookResponse | undefined,
  linkedHubs: readonly string[],
): RegistrationAllocation {
  if (response === undefined) return customFailed('the webhook could not be reached');
  if (response.status === 401) {
    return failedAllocation(
      'customAllocationUnauthorized',
      'CustomAllocationUnauthorizedAccess: the webhook answered 401',
    );
  }
  if (response.status !== 200) {
    return customFailed(`the webhook answered ${response.status}${reasonIn(response.body)}`);
  }
  const answer = parseJsonText(Buffer.from(response.body));
  if (!isObject(answer)) return customFailed('the answer is not a JSON object');

  const host = ownMember(answer, 'iotHubHostName') ?? '';
  if (host === '') {
    return failedAllocation(
      'customAllocationHubNotSpecified',
      'CustomAllocationIotHubNotSpecified: the answer names no hub',
    );
  }
  if (typeof host !== 'string' || !linkedHubs.includes(host)) {
    return customFailed('the answer names a hub that is not among linkedHubs');
  }
  const payload = ownMember(answer, 'payload') ?? undefined;
  if (payload !== undefined && !isObject(payload)) return customFailed('payload is not a JSON object');
  const initialTwin = readInitialTwin(ownMember(answer, 'initialTwin'));
  if (initialTwin === 'malformed') return customFailed('initialTwin is malformed');
  return { result: 'hub', host, ...(initialTwin && { initialTwin }), ...(payload && { payload }) };
}

/** As much of the sentence of a webhook is passed on to the device. */
const LONGEST_REASON = 300;

/**
 * The sentence in an error answer, `{"error": {"message"}}`, for the device. What DPS passes on is not documented;
 * `docs/local.md` lists this as a difference.
 */
function reasonIn(body: string): string {
  const answer = parseJsonText(Buffer.from(body));
  const error = isObject(answer) ? ownMember(answer, 'error') : undefined;
  const message = isObject(error) ? ownMember(error, 'message') : undefined;
  if (typeof message !== 'string') return '';
  return `: ${message.replace(/\p{Cc}/gu, ' ').slice(0, LONGEST_REASON)}`;
}

function customFailed(why: string): FailedAllocation {
  return failedAllocation('customAllocationFailed', `CustomAllocationFailed: ${why}`);
}

export function failedAllocation(
  failure: keyof typeof REGISTRATION_FAILURES,
  message: string,
): FailedAllocation {
  return { result: 'failed', code: REGISTRATION_FAILURES[failure], message };
}
