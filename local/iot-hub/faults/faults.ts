import { createHash } from 'node:crypto';
import type { RefusalName } from '../model/hub-error.ts';

/**
 * The faults that a hub is asked to have: what real hubs and networks do now and then, on demand. Rates are
 * probabilities from 0 to 1, each drawn apart from the others.
 */
export interface FaultSettings {
  /** Decides every draw: the same seed and the same calls and events bring the same faults. */
  readonly seed: number;
  /** Milliseconds that every service call takes longer. */
  readonly latencyMs: number;
  /** Service calls answered with 500 or 503; half of them have been carried out nevertheless. */
  readonly errorRate: number;
  /** Service calls answered with 429; they are not carried out. */
  readonly throttleRate: number;
  /** Service calls that are never answered; half of them have been carried out. */
  readonly timeoutRate: number;
  /** Events sent twice. */
  readonly duplicateRate: number;
  /** Events after which the twin's last ones are sent again. */
  readonly replayRate: number;
  /** Twin updates held back, to become one with the twin's next update. */
  readonly coalesceRate: number;
  /** Events that are lost. */
  readonly dropRate: number;
  /** Changes of desired properties that a connected device is not told of. */
  readonly notificationDropRate: number;
  /**
   * Milliseconds, from now on, for which every service call is refused. Absent: none, and five seconds where
   * the hub fails over.
   */
  readonly outageMs?: number | undefined;
  /** Whether the hub fails over to another region now, with twins that are up to five minutes old. */
  readonly failover: boolean;
}

/** How long a failover makes service calls fail unless `outageMs` says it. */
export const DEFAULT_FAILOVER_MS = 5_000;

/** Each thing that can strike; `failover` counts the twins that went back. */
export const FAULTS = [
  'latency',
  'error',
  'throttle',
  'timeout',
  'duplicate',
  'replay',
  'coalesce',
  'drop',
  'notificationDrop',
  'outage',
  'failover',
] as const;

export type Fault = (typeof FAULTS)[number];

/** A number from 0 up to 1 for a question; the same question gets the same number. */
export type Draw = (question: string) => number;

/**
 * The draws of one hub. Each subject (a twin's events, a call) has turns of its own, so that what happens to
 * one does not depend on how it and others alternate.
 *
 * @example
 * const turnOf = createDraws(7, 'contoso-weu.azure-devices.net');
 * const draw = turnOf('pump-1'); // the first event of pump-1; of its module it would be pump-1/camera
 * if (draw('drop') < dropRate) return;
 */
export function createDraws(seed: number, host: string): (subject: string) => Draw {
  const turns = new Map<string, number>();
  return (subject) => {
    const turn = turns.get(subject) ?? 0;
    turns.set(subject, turn + 1);
    return (question) => fraction(JSON.stringify([seed, host.toLowerCase(), question, subject, turn]));
  };
}

function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/** What becomes of a service call. `isApplied`: it is carried out, although the client is not told. */
export type CallFate =
  | { readonly kind: 'answered' }
  | { readonly kind: 'throttle' }
  | { readonly kind: 'timeout'; readonly isApplied: boolean }
  | { readonly kind: 'error'; readonly isApplied: boolean; readonly refusal: RefusalName };

/** The first that strikes of 429, no answer and an error. */
export function callFate(settings: FaultSettings, draw: Draw): CallFate {
  if (draw('throttle') < settings.throttleRate) return { kind: 'throttle' };
  const isApplied = draw('applied') < 0.5;
  if (draw('timeout') < settings.timeoutRate) return { kind: 'timeout', isApplied };
  if (draw('error') < settings.errorRate) {
    return { kind: 'error', isApplied, refusal: draw('which') < 0.5 ? 'ServerError' : 'ServiceUnavailable' };
  }
  return { kind: 'answered' };
}

/** What becomes of an event. One that is dropped suffers nothing else. */
export interface EventFate {
  readonly isDropped: boolean;
  readonly isHeld: boolean;
  readonly isDuplicated: boolean;
  readonly isReplayed: boolean;
}

export function eventFate(settings: FaultSettings, draw: Draw): EventFate {
  return {
    isDropped: draw('drop') < settings.dropRate,
    isHeld: draw('coalesce') < settings.coalesceRate,
    isDuplicated: draw('duplicate') < settings.duplicateRate,
    isReplayed: draw('replay') < settings.replayRate,
  };
}
