import { coalesce } from '../hub/coalesce.ts';
import type { EventSink, HubEvent } from '../hub/event-sink.ts';
import { addressKey, addressOf } from '../model/address.ts';
import { type Draw, eventFate, type Fault, type FaultSettings, type RouteFault } from './faults.ts';

/** An event that is held back is sent after this time at the latest, also if no other event was merged with it. */
const LONGEST_HOLD_MS = 2_000;
/** Number of last events of a twin that a replay sends again. */
const REPLAYED = 5;

const FAULTY_SOURCES: ReadonlySet<unknown> = new Set(['twinChangeEvents', 'deviceLifecycleEvents']);

export interface FaultyEventsOptions {
  readonly settings: FaultSettings;
  /** The draw for the next event of a twin. The argument is its address key. */
  readonly nextDraw: (twin: string) => Draw;
  readonly count: (fault: Fault) => void;
  /** Receives the events after the faults. */
  readonly sink: EventSink;
  /** Called if the sink throws for an event that was held back, because then no caller gets the error. */
  readonly onLost: (error: unknown) => void;
}

/** Sends the events of a hub to the Event Hub while faults are active. */
export interface FaultyEvents {
  readonly send: EventSink;
  /** Sends all events that are held back. */
  end(): void;
}

/** The updates of a device that are held back: at most one for each of its twins, in sending order. */
interface Held {
  readonly updates: Map<string, HubEvent>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Drops, merges, repeats and replays twin and lifecycle events. A real hub delivers at least once, and "1 2 3" can
 * arrive as "1 2 3 1 2 3" (iot-hub-devguide-messages-d2c.md). The faults of each twin, of a device or a module, are
 * independent. All events of a device and its modules keep their order: no later event is sent before one that is held
 * back.
 */
export function createFaultyEvents(options: FaultyEventsOptions): FaultyEvents {
  const { settings, nextDraw, count, sink, onLost } = options;
  const heldOf = new Map<string, Held>();
  const recentOf = new Map<string, readonly HubEvent[]>();

  function deliver(event: HubEvent): void {
    if (settings.replayRate > 0) {
      const twin = twinOf(event);
      recentOf.set(twin, [...(recentOf.get(twin) ?? []), event].slice(-REPLAYED));
    }
    sink(event);
  }

  function hold(event: HubEvent): void {
    const deviceId = event.partitionKey;
    // The first event that is held back starts the timer. Later events do not restart it.
    const held = heldOf.get(deviceId) ?? {
      updates: new Map(),
      timer: setTimeout(() => release(deviceId), LONGEST_HOLD_MS).unref(),
    };
    held.updates.set(twinOf(event), event);
    heldOf.set(deviceId, held);
  }

  function release(deviceId: string): void {
    const held = heldOf.get(deviceId);
    if (held === undefined) return;
    clearTimeout(held.timer);
    heldOf.delete(deviceId);
    for (const event of held.updates.values()) {
      try {
        deliver(event);
      } catch (error) {
        onLost(error);
      }
    }
  }

  /** The event, merged with the update of its twin that is held back, if the two can be merged. */
  function merged(event: HubEvent): HubEvent {
    const updates = heldOf.get(event.partitionKey)?.updates;
    const earlier = updates?.get(twinOf(event));
    const both = earlier && isUpdate(event) ? coalesce(earlier, event) : undefined;
    if (both === undefined) return event;
    updates?.delete(twinOf(event)); // the merged event takes the place of the later one
    count('coalesce');
    return both;
  }

  return {
    send(event) {
      const deviceId = event.partitionKey;
      // It follows the event of its twin, which can be held back. The order of different sources is not promised.
      if (event.annotations['iothub-message-source'] === 'digitalTwinChangeEvents') return sink(event);
      if (!FAULTY_SOURCES.has(event.annotations['iothub-message-source'])) {
        release(deviceId);
        sink(event);
        return;
      }
      if (isStopped(event, settings.route)) {
        count('route');
        return;
      }
      const twin = twinOf(event);
      const fate = eventFate(settings, nextDraw(twin));
      if (fate.isDropped) {
        count('drop');
        return;
      }
      const sent = merged(event);
      const isHeld = fate.isHeld && isUpdate(event);
      // All earlier events of the device that are held back are sent first.
      if (!isHeld || heldOf.get(deviceId)?.updates.has(twin)) release(deviceId);
      if (isHeld) {
        hold(sent);
        return;
      }
      deliver(sent);
      if (fate.isDuplicated) {
        count('duplicate');
        sink(sent);
      }
      if (fate.isReplayed) {
        count('replay');
        for (const again of recentOf.get(twin) ?? []) sink(again);
      }
    },
    end() {
      for (const deviceId of [...heldOf.keys()]) release(deviceId);
    },
  };
}

/** Whether a broken route keeps an event from the Event Hub. */
function isStopped({ annotations, body }: HubEvent, route: RouteFault | undefined): boolean {
  if (route === undefined) return false;
  if (route === 'endpointDead') return true;
  if (annotations['iothub-message-source'] !== 'twinChangeEvents') return false;
  return route === 'deleted' || isServiceWrite(body);
}

function isServiceWrite(body: HubEvent['body']): boolean {
  const change = JSON.parse(Buffer.from(body).toString('utf8')) as {
    readonly tags?: unknown;
    readonly properties?: { readonly desired?: unknown };
  };
  return change.tags !== undefined || change.properties?.desired !== undefined;
}

function isUpdate({ properties }: HubEvent): boolean {
  return properties.opType === 'updateTwin';
}

/** The address key of the twin of a twin or lifecycle event. */
function twinOf({ partitionKey, properties: { moduleId } }: HubEvent): string {
  return addressKey(addressOf(partitionKey, typeof moduleId === 'string' ? moduleId : undefined));
}
