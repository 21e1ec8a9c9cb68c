import type { LocalHub } from '../hub/hub.ts';
import { addressKey } from '../model/address.ts';
import type { Draw } from './faults.ts';

/**
 * Simulates a failover to another region. Each twin that changed in the last five minutes returns to one of its states
 * of that time, with its old versions and etag. Devices and modules lose their connections. There are no events
 * (iot-hub-ha-dr.md). Returns the number of twins that changed.
 */
export function failOver(hub: LocalHub, nextDraw: (twin: string) => Draw): number {
  let count = 0;
  for (const entry of [...hub.store.sorted(), ...hub.store.sortedModules()]) {
    const { identity } = entry;
    const states = hub.past.of(identity);
    const twin = states[Math.floor(nextDraw(addressKey(identity))('failover') * states.length)];
    if (twin !== undefined) {
      hub.store.put({ ...entry, twin });
      count += 1;
    }
    const link = hub.connections.link(identity);
    if (link !== undefined) {
      hub.connections.end(identity, link, hub.tick());
      link.close();
    }
  }
  hub.past.clear();
  return count;
}
