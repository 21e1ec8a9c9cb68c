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
} from './faults.ts';
import { createFaultyEvents, type FaultyEvents } from './faulty-events.ts';
import { serveFaultily } from './faulty-service.ts';

/** The faults in force at a hub, and how often each has counts since they were set. */
export interface FaultStatus {
  readonly hub: string;
  readonly settings: FaultSettings;
  /** Milliseconds that service calls will still be refused. */
  readonly outageLeftMs: number;
  readonly counts: Readonly<Record<Fault, number>>;
}

/** The faults of one hub, which has none until they are set. They end with the process. */
export interface HubFaults {
  /** The way of the hub's events to the sink. */
  readonly sink: EventSink;
  /** Whether a device is told of a change of its desired properties. */
  notifies(address: Address): boolean;
  /** Runs a call of the service API. @throws ConnectionDropped when it is not to be answered */
  serve(hub: LocalHub, request: HttpRequest, serve: () => Promise<HttpResponse>): Promise<HttpResponse>;
  /** Sets faults in the place of those before; an outage and a failover begin now. */
  set(hub: LocalHub, settings: FaultSettings): void;
  /** Ends the faults and sends the events that are held back. */
  lift(): void;
  status(hub: LocalHub): FaultStatus | undefined;
  /** As `lift`; calls that wait are dropped. */
  close(): void;
}

interface InForce {
  readonly settings: FaultSettings;
  readonly turnOf: (subject: string) => Draw;
  /** Until when service calls are refused, in milliseconds since the epoch. */
  readonly outageUntil: number;
  readonly events: FaultyEvents;
  readonly counts: Record<Fault, number>;
  readonly count: (fault: Fault) => void;
}

/** @param onLost Told of what `sink` throws for an event that was held back. */
export function createHubFaults(sink: EventSink, onLost: (error: unknown) => void): HubFaults {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // as many as there are calls that wait
  let inForce: InForce | undefined;

  const begin = (hub: LocalHub, settings: FaultSettings): InForce => {
    const turnOf = createDraws(settings.seed, hub.host);
    const counts = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;
    const count = (fault: Fault) => {
      counts[fault] += 1;
    };
    const outageMs = settings.outageMs ?? (settings.failover ? DEFAULT_FAILOVER_MS : 0);
    return {
      settings,
      turnOf,
      outageUntil: hub.now() + outageMs,
      events: createFaultyEvents({ settings, turnOf, count, sink, onLost }),
      counts,
      count,
    };
  };
  const lift = (): void => {
    const { events } = inForce ?? {};
    inForce = undefined;
    events?.end();
  };

  return {
    sink: (event) => (inForce === undefined ? sink(event) : inForce.events.send(event)),
    notifies(address) {
      if (inForce === undefined) return true;
      const { settings, turnOf, count } = inForce;
      if (turnOf(`notify ${addressKey(address)}`)('notificationDrop') >= settings.notificationDropRate)
        return true;
      count('notificationDrop');
      return false;
    },
    async serve(hub, request, serve) {
      if (inForce === undefined) return serve();
      const { settings, turnOf, outageUntil, count } = inForce;
      const refusal = settings.failover ? 'IotHubFailingOver' : 'ServiceUnavailable';
      return serveFaultily(hub, request, {
        settings,
        outage: hub.now() < outageUntil ? refusal : undefined,
        turnOf,
        count,
        closing: closing.signal,
        serve,
      });
    },
    set(hub, settings) {
      lift();
      inForce = begin(hub, settings);
      if (settings.failover) inForce.counts.failover = failOver(hub, inForce.turnOf);
    },
    lift,
    status(hub) {
      if (inForce === undefined) return undefined;
      const { settings, outageUntil, counts } = inForce;
      return { hub: hub.host, settings, outageLeftMs: Math.max(0, outageUntil - hub.now()), counts };
    },
    close() {
      lift();
      closing.abort();
    },
  };
}
