import type { LocalHub } from '../hub/hub.ts';
import { addressKey } from '../model/address.ts';
import type { Draw } from './faults.ts';

/**
 * The hub wakes up in another region: each twin that has changed in the last five minutes goes back to one of
 * its states of that time, with the versions and the etag it had, and devices and modules lose their
 * connections. No event tells of any of it (iot-hub-ha-dr.md). Answers how many twins went back.
 */
export function failOver(hub: LocalHub, turnOf: (twin: string) => Draw): number {
  let count = 0;
  for (const entry of [...hub.store.sorted(), ...hub.store.sortedModules()]) {
    const { identity } = entry;
    const states = hub.past.of(identity);
    const twin = states[Math.floor(turnOf(addressKey(identity))('failover') * states.length)];
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
