import type { HealthAnswer } from '../api/contract.ts';
import type { Instance } from '../instance/instance.ts';
import { type HttpHandler, jsonAnswer } from './http-answer.ts';
import { describeNewerFormats } from './newer-formats-answer.ts';

/**
 * Whether the app is ready: it is not while its own fleet file has problems. It also lists formats of stored documents for
 * which this package is too old. Sync then waits for a newer package; allocation does not. The answer has no ids and no
 * names, because the route needs no key.
 */
export function health(instance: Instance): HttpHandler {
  return async () => {
    const isReady = instance.fleet.problems.length === 0;
    const newerFormats = describeNewerFormats(instance);
    return jsonAnswer<HealthAnswer>(isReady ? 200 : 503, {
      ready: isReady,
      ...(newerFormats.length === 0 ? {} : { newerFormats }),
    });
  };
}
