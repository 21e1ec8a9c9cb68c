import { setMaxListeners } from 'node:events';
import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import type { EventSink } from '../hub/event-sink.ts';
import type { LocalHub } from '../hub/hub.ts';
import { type Address, addressKey } from '../model/address.ts';
import { failOver } from './failover.ts';
import {
  createDraws,
  DEFAULT_FAILOVER_MS,
  type Draw,
  FAULTS,
  type Fault,
  type FaultSettings,
  HUB_EDGE_FAULTS,
  ROUTE_COUNT,
} from './faults.ts';
import { createFaultyEvents, type FaultyEvents } from './faulty-events.ts';
import { serveFaultily } from './faulty-service.ts';

/** The active faults of a hub, and how often each fault happened since they were set. */
export interface FaultStatus {
  readonly hub: string;
  readonly settings: FaultSettings;
  /** Milliseconds until the end of the outage; 0 without one. */
  readonly outageLeftMs: number;
  readonly counts: Readonly<FaultCounts>;
}

type FaultCounts = Record<(typeof FAULTS)[number], number> & Partial<Record<Fault, number>>;

/** The faults of one hub. There are none before `set`, and they are not stored. */
export interface HubFaults {
  /** Passes the events of the hub to the sink, with the active faults. */
  readonly sink: EventSink;
  /** Whether a device gets the notification of a change of its desired properties. */
  notifies(address: Address): boolean;
  /** Whether the hub throttles the next call of this device about its modules. */
  throttlesModules(deviceId: string): boolean;
  /** Serves a call of the service API. @throws ConnectionDropped if the call gets no answer. */
  serve(hub: LocalHub, request: HttpRequest, serve: () => Promise<HttpResponse>): Promise<HttpResponse>;
  /** Replaces the active faults. An outage and a failover begin now. */
  set(hub: LocalHub, settings: FaultSettings): void;
  /** Ends the faults and sends the events that are held back. */
  clear(): void;
  status(hub: LocalHub): FaultStatus | undefined;
  /** Ends the faults like `clear`, and drops waiting calls. */
  close(): void;
}

interface ActiveFaults {
  readonly settings: FaultSettings;
  readonly nextDraw: (subject: string) => Draw;
  /** Time at which the outage ends, in milliseconds since the epoch. */
  readonly outageUntil: number;
  readonly events: FaultyEvents;
  readonly counts: FaultCounts;
  readonly count: (fault: Fault) => void;
}

/** @param onLost Called if `sink` throws for an event that was held back. */
export function createHubFaults(sink: EventSink, onLost: (error: unknown) => void): HubFaults {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // each waiting call adds a listener
  let active: ActiveFaults | undefined;

  const begin = (hub: LocalHub, settings: FaultSettings): ActiveFaults => {
    const nextDraw = createDraws(settings.seed, hub.host);
    const names = [
      ...FAULTS,
      ...(settings.route === undefined ? [] : ([ROUTE_COUNT] as const)),
      ...(settings.edge === undefined ? [] : HUB_EDGE_FAULTS),
    ];
    const counts = Object.fromEntries(names.map((fault) => [fault, 0])) as FaultCounts;
    const count = (fault: Fault) => {
      counts[fault] = (counts[fault] ?? 0) + 1;
    };
    const outageMs = settings.outageMs ?? (settings.failover ? DEFAULT_FAILOVER_MS : 0);
    return {
      settings,
      nextDraw,
      outageUntil: hub.now() + outageMs,
      events: createFaultyEvents({ settings, nextDraw, count, sink, onLost }),
      counts,
      count,
    };
  };
  const clear = (): void => {
    const { events } = active ?? {};
    active = undefined;
    events?.end();
  };

  return {
    sink: (event) => (active === undefined ? sink(event) : active.events.send(event)),
    notifies(address) {
      if (active === undefined) return true;
      const { settings, nextDraw, count } = active;
      if (nextDraw(`notify ${addressKey(address)}`)('notificationDrop') >= settings.notificationDropRate)
        return true;
      count('notificationDrop');
      return false;
    },
    throttlesModules(deviceId) {
      if (active === undefined) return false;
      const { settings, nextDraw, count } = active;
      const rate = settings.edge?.identityThrottleRate ?? 0;
      if (nextDraw(`modules ${deviceId}`)('identityThrottle') >= rate) return false;
      count('identityThrottle');
      return true;
    },
    async serve(hub, request, serve) {
      if (active === undefined) return serve();
      const { settings, nextDraw, outageUntil, count } = active;
      const refusal = settings.failover ? 'IotHubFailingOver' : 'ServiceUnavailable';
      return serveFaultily(hub, request, {
        settings,
        outage: hub.now() < outageUntil ? refusal : undefined,
        nextDraw,
        count,
        closing: closing.signal,
        serve,
      });
    },
    set(hub, settings) {
      clear();
      active = begin(hub, settings);
      if (settings.failover) active.counts.failover = failOver(hub, active.nextDraw);
    },
    clear,
    status(hub) {
      if (active === undefined) return undefined;
      const { settings, outageUntil, counts } = active;
      return { hub: hub.host, settings, outageLeftMs: Math.max(0, outageUntil - hub.now()), counts };
    },
    close() {
      clear();
      closing.abort();
    },
  };
}
