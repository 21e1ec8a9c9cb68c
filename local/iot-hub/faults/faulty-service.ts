import { setTimeout as wait } from 'node:timers/promises';
import { ConnectionDropped, type HttpRequest, type HttpResponse } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal, type RefusalName } from '../model/hub-error.ts';
import { refusalResponse } from '../service-api/service-api.ts';
import { callFate, type Draw, type Fault, type FaultSettings } from './faults.ts';

/** A call that is never answered keeps its connection so long. */
const UNANSWERED_MS = 60_000;

export interface FaultyCallOptions {
  readonly settings: FaultSettings;
  /** What every call is refused with at the moment; undefined: the hub works. */
  readonly outage: RefusalName | undefined;
  /** The draws for the next call of that kind. */
  readonly turnOf: (call: string) => Draw;
  readonly count: (fault: Fault) => void;
  /** The hub closes: nothing waits any longer. */
  readonly closing: AbortSignal;
  /** Carries the call out. */
  readonly serve: () => Promise<HttpResponse>;
}

/**
 * A service call while faults are in force.
 *
 * @throws ConnectionDropped when the call is not to be answered
 */
export async function serveFaultily(
  hub: LocalHub,
  request: HttpRequest,
  options: FaultyCallOptions,
): Promise<HttpResponse> {
  const { settings, outage, count, closing, serve } = options;
  const fate = callFate(settings, options.turnOf(`${request.method} ${request.path}`));
  if (settings.latencyMs > 0) {
    count('latency');
    await waitUnlessClosing(settings.latencyMs, closing);
  }
  if (outage !== undefined) {
    count('outage');
    return refused(hub, request, outage);
  }
  if (fate.kind === 'answered') return serve();
  count(fate.kind);
  if (fate.kind === 'throttle') {
    hub.counters.throttled += 1;
    return refused(hub, request, 'ThrottlingException');
  }
  if (fate.isApplied) await serve();
  if (fate.kind === 'error') return refused(hub, request, fate.refusal);
  await waitUnlessClosing(UNANSWERED_MS, closing);
  throw new ConnectionDropped();
}

async function waitUnlessClosing(ms: number, closing: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal: closing });
  } catch {
    throw new ConnectionDropped();
  }
}

const SENTENCES: Partial<Record<RefusalName, string>> = {
  ThrottlingException: 'Request is being throttled',
  ServerError: 'The hub failed.',
  ServiceUnavailable: 'The service is temporarily unavailable.',
  IotHubFailingOver: 'The hub is failing over.',
};

function refused(hub: LocalHub, request: HttpRequest, refusal: RefusalName): HttpResponse {
  const isTwin = request.path.startsWith('/twins/');
  return refusalResponse(new HubRefusal(refusal, SENTENCES[refusal] ?? ''), isTwin, hub.now());
}
