import { describe, expect, test } from '@jest/globals';
import { EventFeed } from '../../local/control-api/index.ts';
import type { HubEvent } from '../../local/iot-hub/index.ts';

const HUB = 'weu.azure-devices.net';

/** A feed with a clock that the test moves. */
function feedAt(start = 0) {
  const clock = { now: start };
  return { clock, feed: new EventFeed(() => clock.now) };
}
const twinEvent = (body: string): HubEvent => ({
  body: Buffer.from(body),
  partitionKey: 'pump',
  properties: { deviceId: 'pump', opType: 'updateTwin' },
  annotations: { 'iothub-message-source': 'twinChangeEvents' },
});
const message = (deviceId: string): HubEvent => ({
  body: Buffer.from('{}'),
  partitionKey: deviceId,
  properties: {},
  annotations: { 'iothub-message-source': 'Telemetry' },
});

describe('the feed of events', () => {
  test('counts messages of devices by hub and second', () => {
    const { clock, feed } = feedAt();
    for (const deviceId of ['a', 'b', 'a']) feed.takeEvent(HUB, message(deviceId));
    expect(feed.after(0).items).toEqual([]);

    clock.now = 1_000;
    feed.takeEvent(HUB, message('c'));

    expect(feed.after(0).items).toMatchObject([{ kind: 'telemetry', hub: HUB, messages: 3, devices: 2 }]);
    clock.now = 2_500;
    expect(feed.after(1).items).toMatchObject([{ kind: 'telemetry', messages: 1, devices: 1 }]);
  });

  test('keeps the last 2,000 items, gives at most 500 at once, and says how many were missed', () => {
    const { feed } = feedAt();
    for (let index = 0; index < 2_100; index += 1) feed.takeEvent(HUB, twinEvent('{"version":1}'));

    const first = feed.after(0);
    expect([first.missed, first.items.length, first.items[0]?.n, first.next]).toEqual([100, 500, 101, 600]);
    const rest = feed.after(2_000);
    expect([rest.missed, rest.items.length, rest.next]).toEqual([0, 100, 2_100]);
  });

  test('begins with the last 100 items, also for a number of an earlier run of the stack', () => {
    const { feed } = feedAt();
    for (let index = 0; index < 150; index += 1) feed.takeEvent(HUB, twinEvent('{}'));

    expect(feed.after(undefined).items).toHaveLength(100);
    expect(feed.after(9_999)).toMatchObject({ next: 150, missed: 0 });
    expect(new EventFeed().after(undefined)).toEqual({ items: [], next: 0, missed: 0 });
  });

  test('shows no contents of an event that is too long or not JSON', () => {
    const { feed } = feedAt();
    feed.takeEvent(HUB, twinEvent('not json'));
    feed.takeEvent(HUB, twinEvent(JSON.stringify({ version: 2, tags: { a: 'x'.repeat(5_000) } })));

    expect(feed.after(0).items).toMatchObject([
      { version: null, change: null },
      { version: 2, change: null },
    ]);
  });
});
