import { nothingAnswers } from '../errors.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Instant } from '../time/instant.ts';
import type { HttpAnswer } from './exchange.ts';
import { type RestHeaders, retryAfterMs, serviceTime } from './headers.ts';

interface FailedCall {
  /** Host name of the service, for messages. */
  readonly host: string;
  readonly method: string;
  /**
   * The call may have taken effect although it failed, because the answer was lost or the service failed
   * midway.
   */
  readonly mayHaveApplied: boolean;
}

/** A status that is not a success. Never show body and headers: they may contain a secret. */
export interface Refusal extends FailedCall {
  readonly kind: 'refused';
  readonly status: number;
  readonly headers: RestHeaders;
  readonly body: string;
  /** The wait from `Retry-After`; undefined if there is none. */
  readonly retryAfterMs: number | undefined;
  /** The time of the service when it answered; undefined without a `Date` header. */
  readonly answeredAt: Instant | undefined;
}

/** A call without a status, or with an answer that cannot be read. */
export type CallTrouble = FailedCall &
  (
    | { readonly kind: 'noToken'; readonly reason: string }
    | { readonly kind: 'timeout'; readonly deadlineMs: number }
    | {
        readonly kind: 'unreachable';
        readonly reason: string;
        /** The address at which nothing listens, if that is the reason. */
        readonly refusedAt?: string | undefined;
      }
    /** A success whose body is not JSON, such as the page of a proxy or a truncated text. */
    | { readonly kind: 'notJson'; readonly status: number }
    /** JSON that the API of the service does not describe. */
    | { readonly kind: 'unexpected' }
  );

/**
 * Why a call failed. Each service maps it to its own error codes. Of the request, it contains only the
 * method.
 */
export type RestFailure = Refusal | CallTrouble;

/** The failure for an answer with a status of 300 or above. */
export function refusal(host: string, method: string, answer: HttpAnswer, now: EpochMs): Refusal {
  const { status, headers, body } = answer;
  return {
    kind: 'refused',
    host,
    method,
    status,
    headers,
    body,
    mayHaveApplied: status >= 500,
    retryAfterMs: retryAfterMs(headers, now),
    answeredAt: serviceTime(headers),
  };
}

/** The failure for an answer that the API of the service does not describe. */
export function unexpectedAnswer(host: string, method: string): CallTrouble {
  return { kind: 'unexpected', host, method, mayHaveApplied: true };
}

/** The message for a failure. It contains no secret. */
export function troubleText(trouble: CallTrouble): string {
  const { host, method } = trouble;
  switch (trouble.kind) {
    case 'noToken':
      return `Cannot get a token for ${host} (${trouble.reason}): check the identity, or run "az login".`;
    case 'timeout':
      return `${host} did not answer ${method} in ${trouble.deadlineMs / 1_000} s.`;
    case 'unreachable':
      return [
        `${host} could not be reached for ${method} (${trouble.reason}).`,
        ...(trouble.refusedAt === undefined ? [] : [nothingAnswers(trouble.refusedAt)]),
      ].join(' ');
    case 'notJson':
      return `${host} answered ${method} with a body that is not JSON.`;
    case 'unexpected':
      return `${host} answered ${method} with unexpected JSON.`;
  }
}
