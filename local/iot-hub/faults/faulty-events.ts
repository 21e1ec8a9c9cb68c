import { coalesce } from '../hub/coalesce.ts';
import type { EventSink, HubEvent } from '../hub/event-sink.ts';
import { addressKey, addressOf } from '../model/address.ts';
import { type Draw, eventFate, type Fault, type FaultSettings } from './faults.ts';

/** An event that is held back goes out after this time at the latest, alone if need be. */
const HELD_MS = 2_000;
/** So many of a twin's last events a retry sends again. */
const REPLAYED = 5;

const STRUCK_SOURCES: ReadonlySet<unknown> = new Set(['twinChangeEvents', 'deviceLifecycleEvents']);

export interface FaultyEventsOptions {
  readonly settings: FaultSettings;
  /** The draws for the next event of a twin, which is named by its address's key. */
  readonly turnOf: (twin: string) => Draw;
  readonly count: (fault: Fault) => void;
  /** Where events go at last. */
  readonly sink: EventSink;
  /** Told of what the sink throws for an event that was held back: nobody else waits for it. */
  readonly onLost: (error: unknown) => void;
}

/** The way of a hub's events to the Event Hub while faults are in force. */
export interface FaultyEvents {
  readonly send: EventSink;
  /** Sends what is held back. */
  end(): void;
}

/** What is held back of a device: at most one update of each of its twins, in the order in which they go out. */
interface Held {
  readonly updates: Map<string, HubEvent>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Drops, merges, repeats and replays twin and lifecycle events: a real hub delivers at least once, and "1 2 3"
 * may be seen as "1 2 3 1 2 3" (iot-hub-devguide-messages-d2c.md). Each twin, a device's or a module's, suffers
 * on its own. All events of a device, its modules' included, keep their order: nothing overtakes what is held
 * back.
 */
export function createFaultyEvents(options: FaultyEventsOptions): FaultyEvents {
  const { settings, turnOf, count, sink, onLost } = options;
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
    // Whatever joins, the first that is held back waits no longer for it.
    const held = heldOf.get(deviceId) ?? {
      updates: new Map(),
      timer: setTimeout(() => release(deviceId), HELD_MS).unref(),
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

  /** The event together with the update of its twin that is held back, if there is one and they can be one. */
  function merged(event: HubEvent): HubEvent {
    const updates = heldOf.get(event.partitionKey)?.updates;
    const earlier = updates?.get(twinOf(event));
    const both = earlier && isUpdate(event) ? coalesce(earlier, event) : undefined;
    if (both === undefined) return event;
    updates?.delete(twinOf(event)); // it goes out in the later one's place
    count('coalesce');
    return both;
  }

  return {
    send(event) {
      const deviceId = event.partitionKey;
      if (!STRUCK_SOURCES.has(event.annotations['iothub-message-source'])) {
        release(deviceId);
        sink(event);
        return;
      }
      const twin = twinOf(event);
      const fate = eventFate(settings, turnOf(twin));
      if (fate.isDropped) {
        count('drop');
        return;
      }
      const sent = merged(event);
      const isHeld = fate.isHeld && isUpdate(event);
      // What it could not merge with, and whatever else of its device came before it, goes first.
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

function isUpdate({ properties }: HubEvent): boolean {
  return properties.opType === 'updateTwin';
}

/** Which twin the event tells of, by its address's key. Of twin and lifecycle events only. */
function twinOf({ partitionKey, properties: { moduleId } }: HubEvent): string {
  return addressKey(addressOf(partitionKey, typeof moduleId === 'string' ? moduleId : undefined));
}
