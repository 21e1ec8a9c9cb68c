import type { HubEvent, Traffic } from '../iot-hub/index.ts';
import { type Watched, watchedEvent, watchedTraffic } from './watched.ts';

/** What a watcher wants to see. Absent: all. */
export interface WatchFilter {
  /** A host name, or its first label. */
  readonly hub?: string | undefined;
  /** An id, in which `*` stands for any text. */
  readonly device?: string | undefined;
  readonly module?: string | undefined;
}

export type Watcher = (watched: Watched) => void;

/** The watchers of the hubs. Without a watcher, an event costs nothing. */
export class Watchers {
  readonly #now: () => number;
  readonly #watchers = new Map<
    Watcher,
    (hub: string, device: string, module: string | undefined) => boolean
  >();

  /** @param now milliseconds since the epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Returns a function that ends the watch. */
  add(filter: WatchFilter, watcher: Watcher): () => void {
    this.#watchers.set(watcher, matcherOf(filter));
    return () => void this.#watchers.delete(watcher);
  }

  takeEvent(hub: string, event: HubEvent): void {
    const module = event.annotations['iothub-connection-module-id'];
    this.#tell(hub, event.partitionKey, typeof module === 'string' ? module : undefined, () =>
      watchedEvent(hub, event, this.#now()),
    );
  }

  takeTraffic(hub: string, traffic: Traffic): void {
    const { deviceId, moduleId } = traffic.address;
    this.#tell(hub, deviceId, moduleId, () => watchedTraffic(hub, traffic, this.#now()));
  }

  #tell(hub: string, device: string, module: string | undefined, describe: () => Watched): void {
    let watched: Watched | undefined;
    for (const [watcher, matches] of this.#watchers) {
      if (!matches(hub, device, module)) continue;
      watched ??= describe();
      watcher(watched);
    }
  }
}

function matcherOf({ hub, device, module }: WatchFilter) {
  const isDevice = patternOf(device);
  const isModule = patternOf(module);
  return (host: string, deviceId: string, moduleId: string | undefined): boolean =>
    (hub === undefined || isHub(host, hub)) &&
    isDevice(deviceId) &&
    (module === undefined || (moduleId !== undefined && isModule(moduleId)));
}

/** Whether `name` is a host name, or its first label. */
export function isHub(host: string, name: string): boolean {
  const [classic, wanted] = [host.toLowerCase(), name.toLowerCase()];
  return classic === wanted || classic.split('.')[0] === wanted;
}

/** Ids of devices and modules are case-sensitive. */
function patternOf(text: string | undefined): (id: string) => boolean {
  if (text === undefined) return () => true;
  const escaped = text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\\*', '.*');
  const pattern = new RegExp(`^${escaped}$`, 's');
  return (id) => pattern.test(id);
}
