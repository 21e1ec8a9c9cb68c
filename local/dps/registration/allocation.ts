import { isObject, type JsonObject, ownMember } from '../../../src/json/json.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import { readInitialTwin, type StoredEnrollmentTwin } from '../enrollments/initial-twin.ts';
import { REGISTRATION_FAILURES, type RegistrationFailure } from './dps-error.ts';
import type { WebhookResponse } from './webhook.ts';

/** The chosen hub, with the initial twin and the payload of the webhook, or a failure. */
export type RegistrationAllocation =
  | {
      readonly result: 'hub';
      readonly host: string;
      /** Undefined if the webhook returned none. */
      readonly initialTwin?: StoredEnrollmentTwin;
      /** For the device. */
      readonly payload?: JsonObject;
    }
  | FailedAllocation;

export type FailedAllocation = { readonly result: 'failed' } & RegistrationFailure;

/**
 * Reads the answer of a webhook as DPS does (tutorial-custom-allocation-policies.md, "Troubleshooting"). Three more
 * cases fail the registration, as assumed or seen in tests: a hub that is not linked, an answer that is not JSON, and
 * a payload that is not an object.
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
  const answer = parseRequestJson(Buffer.from(response.body));
  if (!isObject(answer)) return customFailed('the answer is not a JSON object');

  const host = ownMember(answer, 'iotHubHostName') ?? '';
  if (host === '') {
    return failedAllocation(
      'customAllocationHubNotSpecified',
      'CustomAllocationIotHubNotSpecified: the answer contains no hub',
    );
  }
  if (typeof host !== 'string' || !linkedHubs.includes(host)) {
    return customFailed('the hub in the answer is not one of linkedHubs');
  }
  const payload = ownMember(answer, 'payload') ?? undefined;
  if (payload !== undefined && !isObject(payload)) return customFailed('payload is not a JSON object');
  const initialTwin = readInitialTwin(ownMember(answer, 'initialTwin'));
  if (initialTwin === 'malformed') return customFailed('initialTwin is not {tags, properties: {desired}}');
  return { result: 'hub', host, ...(initialTwin && { initialTwin }), ...(payload && { payload }) };
}

/** As much of the sentence of a webhook is passed on to the device. */
const LONGEST_REASON = 300;

/**
 * The sentence in an error answer, `{"error": {"message"}}`, for the device. What DPS passes on is not documented;
 * `docs/local.md` lists this as a difference.
 */
function reasonIn(body: string): string {
  const answer = parseRequestJson(Buffer.from(body));
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
