import type { Draw } from './faults.ts';
import type { Hub } from './hub.ts';

/**
 * The hub wakes up in another region: each twin that has changed in the last five minutes goes back to one of
 * its states of that time, with the versions and the etag it had, and devices lose their connections. No
 * event tells of any of it (iot-hub-ha-dr.md). Answers how many twins went back.
 */
export function failOver(hub: Hub, turnOf: (deviceId: string) => Draw): number {
  let count = 0;
  for (const device of [...hub.store.sorted()]) {
    const { deviceId } = device.identity;
    const states = hub.past.of(deviceId);
    const twin = states[Math.floor(turnOf(deviceId)('failover') * states.length)];
    if (twin !== undefined) {
      hub.store.put({ ...device, twin });
      count += 1;
    }
    const link = hub.connections.link(deviceId);
    if (link !== undefined) {
      hub.connections.end(deviceId, link, hub.tick());
      link.close();
    }
  }
  hub.past.clear();
  return count;
}
