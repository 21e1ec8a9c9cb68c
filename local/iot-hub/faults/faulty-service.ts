import { setTimeout as wait } from 'node:timers/promises';
import { ConnectionDropped, type HttpRequest, type HttpResponse } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal, type RefusalName } from '../model/hub-error.ts';
import { refusalResponse } from '../service-api/service-api.ts';
import { callFate, type Draw, type Fault, type FaultSettings } from './faults.ts';

/** Time until the connection of a call without an answer is closed. */
const UNANSWERED_MS = 60_000;

export interface FaultyCallOptions {
  readonly settings: FaultSettings;
  /** The refusal of every call during an outage; undefined if there is no outage. */
  readonly outage: RefusalName | undefined;
  /** The draw for the next call of this kind. */
  readonly nextDraw: (call: string) => Draw;
  readonly count: (fault: Fault) => void;
  /** Aborted when the hub closes. It ends all waits. */
  readonly closing: AbortSignal;
  /** Executes the call. */
  readonly serve: () => Promise<HttpResponse>;
}

/**
 * Serves a service call while faults are active.
 *
 * @throws ConnectionDropped if the call gets no answer.
 */
export async function serveFaultily(
  hub: LocalHub,
  request: HttpRequest,
  options: FaultyCallOptions,
): Promise<HttpResponse> {
  const { settings, outage, count, closing, serve } = options;
  const isApply = request.path.endsWith('/applyConfigurationContent');
  const fate = callFate(settings, options.nextDraw(`${request.method} ${request.path}`), isApply);
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
  if (fate.kind === 'applyConflict') {
    return refused(hub, request, 'ApplyConfigurationAlreadyInProgressOnDevice');
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
  ApplyConfigurationAlreadyInProgressOnDevice: 'A configuration is being applied to the device already.',
  ServiceUnavailable: 'The service is temporarily unavailable.',
  IotHubFailingOver: 'The hub is failing over.',
};

function refused(hub: LocalHub, request: HttpRequest, refusal: RefusalName): HttpResponse {
  const isTwin = request.path.startsWith('/twins/');
  return refusalResponse(new HubRefusal(refusal, SENTENCES[refusal] ?? ''), isTwin, hub.now());
}
