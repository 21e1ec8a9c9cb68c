import { setTimeout as wait } from 'node:timers/promises';
import { ConnectionDropped } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal, type RefusalName } from '../model/hub-error.ts';
import type { CallFate, Fault, FaultSettings } from './faults.ts';

/** Time until the connection of a call without an answer is closed. */
const UNANSWERED_MS = 60_000;

export interface FaultyCallOptions<Result> {
  readonly settings: FaultSettings;
  /** The refusal of every call during an outage; undefined if there is no outage. */
  readonly outage: RefusalName | undefined;
  readonly fate: CallFate;
  readonly count: (fault: Fault) => void;
  /** Aborted when the hub closes. It ends all waits. */
  readonly closing: AbortSignal;
  /** Executes the call. */
  readonly serve: () => Promise<Result>;
}

/**
 * Performs a service call, over any transport, while faults are active.
 *
 * @throws HubRefusal of the fault or of the call.
 * @throws ConnectionDropped if the call gets no answer.
 */
export async function callFaultily<Result>(
  hub: LocalHub,
  { settings, outage, fate, count, closing, serve }: FaultyCallOptions<Result>,
): Promise<Result> {
  if (settings.latencyMs > 0) {
    count('latency');
    await waitUnlessClosing(settings.latencyMs, closing);
  }
  if (outage !== undefined) {
    count('outage');
    throw refused(outage);
  }
  if (fate.kind === 'answered') return serve();
  count(fate.kind);
  if (fate.kind === 'throttle') {
    hub.counters.throttled += 1;
    throw refused('ThrottlingException');
  }
  if (fate.kind === 'applyConflict') throw refused('ApplyConfigurationAlreadyInProgressOnDevice');
  if (fate.isApplied) await serve();
  if (fate.kind === 'error') throw refused(fate.refusal);
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

/** The refusal of a fault, with a sentence. */
export function refused(refusal: RefusalName): HubRefusal {
  return new HubRefusal(refusal, SENTENCES[refusal] ?? '');
}
