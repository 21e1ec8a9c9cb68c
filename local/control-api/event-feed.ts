import { isObject, type JsonObject, jsonOrUndefined } from '../../src/json/json.ts';
import type { Registration } from '../dps/index.ts';
import type { FaultSettings, HubEvent } from '../iot-hub/index.ts';

/** What happened, for `GET /events/feed`. */
export type FeedItem = {
  /** Grows by one with each item. */
  readonly n: number;
  /** ISO 8601, UTC. */
  readonly at: string;
} & FeedNews;

export type FeedNews =
  | {
      readonly kind: 'twin';
      readonly hub: string;
      readonly deviceId: string;
      readonly moduleId: string | null;
      /** As the event names it: `updateTwin`, `deviceConnected`, … */
      readonly what: string;
      /** The version of the twin; null where the event has none. */
      readonly version: number | null;
      /** Tags and properties that the event has, without metadata; null where they are too long. */
      readonly change: JsonObject | null;
    }
  /** Messages of devices within a second. */
  | { readonly kind: 'telemetry'; readonly hub: string; readonly messages: number; readonly devices: number }
  | {
      readonly kind: 'registration';
      readonly registrationId: string;
      readonly status: Registration['status'];
      readonly hub: string | null;
      readonly deviceId: string | null;
      readonly why: string | null;
    }
  /** Faults were set (or lifted, where there are no settings), on a hub or on all (null). */
  | { readonly kind: 'faults'; readonly hub: string | null; readonly settings: FaultSettings | null };

/** The sources of events that the feed does not show: it has the change of the twin itself. */
const UNSHOWN: ReadonlySet<string> = new Set(['digitalTwinChangeEvents', 'deviceJobLifecycleEvents']);

/** A part of the feed. */
export interface FeedPage {
  readonly items: readonly FeedItem[];
  /** Give it as `after` to go on. */
  readonly next: number;
  /** Items after `after` that are no longer kept. */
  readonly missed: number;
}

const KEPT = 2_000;
const MOST_ITEMS = 500;
/** The number of newest entries that a request without `after` gets. */
const FIRST_ITEMS = 100;
const TELEMETRY_MS = 1_000;
const LONGEST_CHANGE = 4_000;

interface OpenTelemetry {
  readonly since: number;
  readonly devices: Set<string>;
  messages: number;
}

/** The last things that happened in the local Azure IoT, in memory. */
export class EventFeed {
  readonly #now: () => number;
  readonly #items: FeedItem[] = [];
  readonly #telemetry = new Map<string, OpenTelemetry>();
  #last = 0;

  /** @param now milliseconds since the epoch. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** An event that a hub has sent. Messages of devices are counted together. */
  takeEvent(hub: string, event: HubEvent): void {
    const source = String(event.annotations['iothub-message-source']);
    if (source === 'Telemetry') this.#countTelemetry(hub, event);
    else if (!UNSHOWN.has(source)) this.#pushTwinEvent(hub, event);
  }

  #pushTwinEvent(hub: string, event: HubEvent): void {
    const { deviceId, moduleId, opType } = event.properties;
    const body = jsonOrUndefined(event.body.toString('utf8'));
    this.#push({
      kind: 'twin',
      hub,
      deviceId: String(deviceId ?? event.partitionKey),
      moduleId: typeof moduleId === 'string' ? moduleId : null,
      what: String(opType),
      version: isObject(body) && typeof body.version === 'number' ? body.version : null,
      change: changeIn(body),
    });
  }

  takeRegistration({ registrationId, status, assignment, failure }: Registration): void {
    const isAssigned = status === 'assigned';
    this.#push({
      kind: 'registration',
      registrationId,
      status,
      hub: isAssigned ? (assignment?.host ?? null) : null,
      deviceId: isAssigned ? (assignment?.deviceId ?? null) : null,
      why: failure?.message ?? null,
    });
  }

  takeFaults(hub: string | undefined, settings: FaultSettings | undefined): void {
    this.#push({ kind: 'faults', hub: hub ?? null, settings: settings ?? null });
  }

  /** The items after a number, the oldest first; the last ones where none is given. */
  after(number: number | undefined): FeedPage {
    this.#closeTelemetry();
    const first = this.#items[0]?.n ?? this.#last + 1;
    // A number that was never given is of an earlier life of the stack.
    const from = number === undefined || number > this.#last ? this.#last - FIRST_ITEMS : number;
    const items = this.#items.filter(({ n }) => n > from).slice(0, MOST_ITEMS);
    const missed = number === undefined ? 0 : Math.max(0, first - 1 - from);
    return { items, next: items.at(-1)?.n ?? this.#last, missed };
  }

  #countTelemetry(hub: string, { partitionKey }: HubEvent): void {
    const now = this.#now();
    let open = this.#telemetry.get(hub);
    if (open !== undefined && now - open.since >= TELEMETRY_MS) {
      this.#close(hub, open);
      open = undefined;
    }
    open ??= { since: now, devices: new Set(), messages: 0 };
    open.messages += 1;
    open.devices.add(partitionKey);
    this.#telemetry.set(hub, open);
  }

  /** What may still grow is no item yet. */
  #closeTelemetry(): void {
    const now = this.#now();
    for (const [hub, open] of this.#telemetry) if (now - open.since >= TELEMETRY_MS) this.#close(hub, open);
  }

  #close(hub: string, { messages, devices }: OpenTelemetry): void {
    this.#telemetry.delete(hub);
    this.#push({ kind: 'telemetry', hub, messages, devices: devices.size });
  }

  #push(news: FeedNews): void {
    this.#last += 1;
    this.#items.push({ n: this.#last, at: new Date(this.#now()).toISOString(), ...news });
    if (this.#items.length > KEPT) this.#items.shift();
  }
}

function changeIn(body: unknown): JsonObject | null {
  if (!isObject(body)) return null;
  const properties = isObject(body.properties) ? body.properties : {};
  const change = {
    ...(isObject(body.tags) && { tags: body.tags }),
    ...(isObject(properties.desired) && { desired: values(properties.desired) }),
    ...(isObject(properties.reported) && { reported: values(properties.reported) }),
  };
  return JSON.stringify(change).length > LONGEST_CHANGE ? null : change;
}

function values({ $metadata: _, $version: __, ...rest }: JsonObject): JsonObject {
  return rest;
}
