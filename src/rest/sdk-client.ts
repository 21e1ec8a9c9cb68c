import { type RestFailure, unexpectedAnswer } from './failure.ts';
import type { RestAnswer, RestCall, RestService } from './service.ts';

type Done = (error: Error | null, body?: unknown, response?: RestAnswer) => void;

/** What the clients of Azure's IoT service SDKs take for their `RestApiClient`. */
export interface SdkRestClient {
  /** The one method that they call; the callback is always the last argument. */
  executeApiCall(
    method: string,
    path: string,
    headers: RestCall['headers'] | null,
    body: unknown,
    ...rest: readonly unknown[]
  ): void;
}

/**
 * A service in the place of the transport under `azure-iothub`'s `Registry` and `azure-iot-provisioning-service`'s
 * `ProvisioningServiceClient`. Their own has no timeout and no bound on sockets, breaks UTF-8 that is split over chunks, and puts
 * the token into errors (azure-iothub 1.16.6, dist/common-http/http.js; azure-iot-http-base 1.12.2, dist/rest_api_client.js).
 *
 * @param toError the service's own error for a failure
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
        // The SDK's own reading of the answer may throw inside `done`, which must not become an unhandled rejection.
        .catch(() => done(toError(unexpectedAnswer(service.host, method))));
    },
  };
}
