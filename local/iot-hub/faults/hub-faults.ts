import { setMaxListeners } from 'node:events';
import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import type { EventSink } from '../hub/event-sink.ts';
import type { LocalHub } from '../hub/hub.ts';
import { type Address, addressKey } from '../model/address.ts';
import { HubRefusal, type RefusalName } from '../model/hub-error.ts';
import { refusalResponse } from '../service-api/service-api.ts';
import { failOver } from './failover.ts';
import {
  callFate,
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
import { callFaultily, refused } from './faulty-service.ts';

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
  /**
   * Performs a call of a service over AMQP, such as a message to a device.
   *
   * @param name the kind of the call. Each kind has its own draws.
   * @throws HubRefusal of the faults or of the call, and ConnectionDropped if the call gets no answer.
   */
  call<Result>(hub: LocalHub, name: string, perform: () => Promise<Result>): Promise<Result>;
  /** The refusal of a link on which a service receives, during an outage; undefined: the link can open. */
  refuseLink(hub: LocalHub): HubRefusal | undefined;
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

  const callFor = async <Result>(
    hub: LocalHub,
    name: string,
    isApply: boolean,
    serve: () => Promise<Result>,
  ): Promise<Result> => {
    if (active === undefined) return serve();
    const { settings, nextDraw, count } = active;
    const fate = callFate(settings, nextDraw(name), isApply);
    const outage = outageOf(active, hub);
    return callFaultily(hub, { settings, outage, fate, count, closing: closing.signal, serve });
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
    call: (hub, name, perform) => callFor(hub, name, false, perform),
    refuseLink(hub) {
      const outage = active && outageOf(active, hub);
      if (outage === undefined) return undefined;
      active?.count('outage');
      return refused(outage);
    },
    async serve(hub, request, serve) {
      const isApply = request.path.endsWith('/applyConfigurationContent');
      try {
        return await callFor(hub, `${request.method} ${request.path}`, isApply, serve);
      } catch (error) {
        if (!(error instanceof HubRefusal)) throw error;
        return refusalResponse(error, request.path.startsWith('/twins/'), hub.now());
      }
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

/** The refusal of every call of a service now; undefined if there is no outage. */
function outageOf({ settings, outageUntil }: ActiveFaults, hub: LocalHub): RefusalName | undefined {
  if (hub.now() >= outageUntil) return undefined;
  return settings.failover ? 'IotHubFailingOver' : 'ServiceUnavailable';
}
