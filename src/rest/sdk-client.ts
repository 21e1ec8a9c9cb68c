import { type RestFailure, unexpectedAnswer } from './failure.ts';
import type { RestAnswer, RestCall, RestService } from './service.ts';

type Done = (error: Error | null, body?: unknown, response?: RestAnswer) => void;

/** The `RestApiClient` that the clients of Azure's IoT service SDKs accept. */
export interface SdkRestClient {
  /** The only method that they call. The callback is always the last argument. */
  executeApiCall(
    method: string,
    path: string,
    headers: RestCall['headers'] | null,
    body: unknown,
    ...rest: readonly unknown[]
  ): void;
}

/**
 * Replaces the transport of `Registry` (azure-iothub) and `ProvisioningServiceClient`
 * (azure-iot-provisioning-service) by a REST service. Their transport has no timeout and no limit of sockets,
 * breaks UTF-8 that is split over chunks, and puts the token into errors (azure-iothub 1.16.6,
 * dist/common-http/http.js; azure-iot-http-base 1.12.2, dist/rest_api_client.js).
 *
 * @param toError makes the error of the service for a failure
 */
export function sdkRestClient(service: RestService, toError: (failure: RestFailure) => Error): SdkRestClient {
  return {
    executeApiCall(method, path, headers, body, ...rest) {
      const done = rest.findLast((argument) => typeof argument === 'function') as Done;
      service
        .call({ method, path, headers: headers ?? {}, body })
        .then((result) =>
          result.ok ? done(null, result.answer.json, result.answer) : done(toError(result.failure)),
        )
        // The SDK may throw inside `done` while it reads the answer. That must not become an unhandled
        // rejection.
        .catch(() => done(toError(unexpectedAnswer(service.host, method))));
    },
  };
}
