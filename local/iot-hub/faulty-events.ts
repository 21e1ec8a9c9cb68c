import { coalesce } from './coalesce.ts';
import type { EventSink, HubEvent } from './event-sink.ts';
import { type Draw, eventFate, type Fault, type FaultSettings } from './faults.ts';

/** An event that is held back goes out after this time at the latest, alone if need be. */
const HELD_MS = 2_000;
/** So many of a device's last events a retry sends again. */
const REPLAYED = 5;

const STRUCK_SOURCES: ReadonlySet<unknown> = new Set(['twinChangeEvents', 'deviceLifecycleEvents']);

export interface FaultyEventsOptions {
  readonly settings: FaultSettings;
  /** The draws for the next event of a device. */
  readonly turnOf: (deviceId: string) => Draw;
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

/**
 * Drops, merges, repeats and replays twin and lifecycle events, in order within each device: a real hub
 * delivers at least once, and "1 2 3" may be seen as "1 2 3 1 2 3" (iot-hub-devguide-messages-d2c.md).
 */
export function createFaultyEvents(options: FaultyEventsOptions): FaultyEvents {
  const { settings, turnOf, count, sink, onLost } = options;
  /** By device id; one at a time, for what comes next either merges with it or lets it go. */
  const held = new Map<string, { readonly event: HubEvent; readonly timer: NodeJS.Timeout }>();
  const recent = new Map<string, readonly HubEvent[]>();

  function deliver(event: HubEvent, deviceId: string): void {
    if (settings.replayRate > 0) {
      recent.set(deviceId, [...(recent.get(deviceId) ?? []), event].slice(-REPLAYED));
    }
    sink(event);
  }

  function hold(event: HubEvent, deviceId: string): void {
    // A merged event waits no longer than the first of those in it would have.
    const timer = held.get(deviceId)?.timer ?? setTimeout(() => releaseLate(deviceId), HELD_MS).unref();
    held.set(deviceId, { event, timer });
  }

  function takeHeld(deviceId: string): HubEvent | undefined {
    const entry = held.get(deviceId);
    clearTimeout(entry?.timer);
    held.delete(deviceId);
    return entry?.event;
  }

  function release(deviceId: string): void {
    const event = takeHeld(deviceId);
    if (event !== undefined) deliver(event, deviceId);
  }

  function releaseLate(deviceId: string): void {
    try {
      release(deviceId);
    } catch (error) {
      onLost(error);
    }
  }

  /** The event together with the one that is held back, if they can be one; else that one goes first. */
  function merged(event: HubEvent, deviceId: string): HubEvent {
    const earlier = held.get(deviceId)?.event;
    if (earlier === undefined) return event;
    const both = isUpdateOfSameTwin(earlier, event) ? coalesce(earlier, event) : undefined;
    if (both === undefined) {
      release(deviceId);
      return event;
    }
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
      const fate = eventFate(settings, turnOf(deviceId));
      if (fate.isDropped) {
        count('drop');
        return;
      }
      const sent = merged(event, deviceId);
      if (fate.isHeld && isUpdate(event)) {
        hold(sent, deviceId);
        return;
      }
      takeHeld(deviceId); // it is in `sent`
      deliver(sent, deviceId);
      if (fate.isDuplicated) {
        count('duplicate');
        sink(sent);
      }
      if (fate.isReplayed) {
        count('replay');
        for (const again of recent.get(deviceId) ?? []) sink(again);
      }
    },
    end() {
      for (const deviceId of [...held.keys()]) releaseLate(deviceId);
    },
  };
}

function isUpdate({ properties }: HubEvent): boolean {
  return properties.opType === 'updateTwin';
}

function isUpdateOfSameTwin(earlier: HubEvent, later: HubEvent): boolean {
  return isUpdate(later) && earlier.properties.moduleId === later.properties.moduleId;
}
