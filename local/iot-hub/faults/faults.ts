import { createHash } from 'node:crypto';
import type { EdgeFaults } from '../../edge/faults.ts';
import type { RefusalName } from '../model/hub-error.ts';

/**
 * - `deleted`: the route of twin changes is gone. Lifecycle events still arrive.
 * - `filtered`: its query lets no change of desired properties or tags pass.
 * - `endpointDead`: no event arrives.
 */
export const ROUTE_FAULTS = ['deleted', 'filtered', 'endpointDead'] as const;
export type RouteFault = (typeof ROUTE_FAULTS)[number];

/**
 * The faults of a hub: things that real hubs and networks do from time to time. Rates are probabilities from 0 to 1.
 * Each rate has its own draw.
 */
export interface FaultSettings {
  /** Seed of all draws. The same seed with the same calls and events gives the same faults. */
  readonly seed: number;
  /** Extra milliseconds for every service call. */
  readonly latencyMs: number;
  /** Service calls answered with 500 or 503. The hub executes half of them. */
  readonly errorRate: number;
  /** Service calls answered with 429. The hub does not execute them. */
  readonly throttleRate: number;
  /** Service calls without an answer. The hub executes half of them. */
  readonly timeoutRate: number;
  /** Events sent twice. */
  readonly duplicateRate: number;
  /** Events after which the last events of the twin are sent again. */
  readonly replayRate: number;
  /** Twin updates that are held back and merged with the next update of the twin. */
  readonly coalesceRate: number;
  /** Events that are lost. */
  readonly dropRate: number;
  /** What is wrong with the routes to the Event Hub. Default: nothing. */
  readonly route?: RouteFault | undefined;
  /** The faults of IoT Edge on this hub. */
  readonly edge?: EdgeFaults | undefined;
  /** Changes of desired properties of which a connected device gets no notification. */
  readonly notificationDropRate: number;
  /**
   * Milliseconds from now in which every service call is refused. Default: 0, or five seconds with `failover`.
   */
  readonly outageMs?: number | undefined;
  /** Whether the hub fails over to another region now, with twins that are up to five minutes old. */
  readonly failover: boolean;
}

/** Default of `outageMs` for a failover. */
export const DEFAULT_FAILOVER_MS = 5_000;

/** The names of the faults, for counting. `failover` counts the twins that returned to an old state. */
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

/** Counted only if `route` is set. */
export const ROUTE_COUNT = 'route';

/** The names of the faults that are counted only if `edge` is set. */
export const HUB_EDGE_FAULTS = ['applyConflict', 'identityThrottle'] as const;

export type Fault = (typeof FAULTS)[number] | (typeof HUB_EDGE_FAULTS)[number] | typeof ROUTE_COUNT;

/** A number from 0 to 1 (exclusive) for a question. The same question always gets the same number. */
export type Draw = (question: string) => number;

/**
 * The draws of one hub. Each subject (the events of a twin, a kind of call) has its own sequence of draws, so its faults
 * do not depend on other subjects.
 *
 * @example
 * const nextDraw = createDraws(7, 'contoso-weu.azure-devices.net');
 * const draw = nextDraw('pump-1'); // for the first event of pump-1; its module would be pump-1/camera
 * if (draw('drop') < dropRate) return;
 */
export function createDraws(seed: number, host: string): (subject: string) => Draw {
  const counts = new Map<string, number>();
  return (subject) => {
    const index = counts.get(subject) ?? 0;
    counts.set(subject, index + 1);
    return (question) => fraction(JSON.stringify([seed, host.toLowerCase(), question, subject, index]));
  };
}

function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/** The result of a service call. `isApplied`: the hub executes the call, although the client gets no success. */
export type CallFate =
  | { readonly kind: 'answered' }
  | { readonly kind: 'throttle' }
  | { readonly kind: 'applyConflict' }
  | { readonly kind: 'timeout'; readonly isApplied: boolean }
  | { readonly kind: 'error'; readonly isApplied: boolean; readonly refusal: RefusalName };

/** The first fault that happens, in the order 429, conflict of a manifest, no answer, error. */
export function callFate(settings: FaultSettings, draw: Draw, isApply = false): CallFate {
  if (draw('throttle') < settings.throttleRate) return { kind: 'throttle' };
  if (isApply && draw('applyConflict') < (settings.edge?.applyConflictRate ?? 0))
    return { kind: 'applyConflict' };
  const isApplied = draw('applied') < 0.5;
  if (draw('timeout') < settings.timeoutRate) return { kind: 'timeout', isApplied };
  if (draw('error') < settings.errorRate) {
    return { kind: 'error', isApplied, refusal: draw('which') < 0.5 ? 'ServerError' : 'ServiceUnavailable' };
  }
  return { kind: 'answered' };
}

/** The faults of an event. A dropped event has no other fault. */
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
