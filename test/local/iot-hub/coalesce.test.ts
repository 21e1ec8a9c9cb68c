import { describe, expect, test } from '@jest/globals';
import { coalesce } from '../../../local/iot-hub/hub/coalesce.ts';
import type { HubEvent } from '../../../local/iot-hub/hub/event-sink.ts';
import { twinUpdated } from '../../../local/iot-hub/hub/events.ts';
import { mergeValues } from '../../../local/iot-hub/model/merge.ts';
import { createTwin, type HubTwin, patchTwin, reportTwin } from '../../../local/iot-hub/model/twin.ts';
import type { JsonObject } from '../../../src/json/json.ts';
import { fc } from '../../support/properties.ts';

const AT = [16_000_000_000_000_000n, 16_000_000_000_000_010n, 16_000_000_000_000_020n] as const;
const origin = (at: bigint) => ({ hubName: 'weu', address: { deviceId: 'pump' }, at });
const START: HubTwin = createTwin(AT[0], {
  tags: { site: 'ams' },
  desired: { a: { x: 1, y: 2 }, b: 1 },
  reported: { level: 1, old: true },
});

interface Write {
  readonly tags?: JsonObject;
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
}

/** The twin after a write, and the event of it. */
function written(
  twin: HubTwin,
  { reported, ...patch }: Write,
  at: bigint,
): { twin: HubTwin; event: HubEvent } {
  if (reported !== undefined) {
    const after = reportTwin(twin, reported, at);
    return { twin: after.twin, event: twinUpdated(origin(at), after.twin, { reported: after.applied }) };
  }
  const after = patchTwin(twin, patch, at);
  return { twin: after.twin, event: twinUpdated(origin(at), after.twin, after.applied) };
}

/** What two writes come to: the events of both as one. */
function both(first: Write, second: Write) {
  const one = written(START, first, AT[1]);
  const two = written(one.twin, second, AT[2]);
  const event = coalesce(one.event, two.event);
  return { event, two, twin: two.twin, body: event && JSON.parse(event.body.toString()) };
}

describe('two updates that are merged into one event', () => {
  test('the merged event has the later version and time, and both patches', () => {
    const { event, two, body, twin } = both(
      { reported: { level: 2, mode: 'eco' } },
      { reported: { level: 3, old: null } },
    );

    expect(event).toMatchObject({ properties: two.event.properties, annotations: two.event.annotations });
    expect(body).toMatchObject({
      version: 5,
      properties: { reported: { level: 3, mode: 'eco', old: null, $version: 4 } },
    });
    const { mode, level } = twin.reported.metadata;
    expect(body.properties.reported.$metadata).toEqual({
      $lastUpdated: twin.reported.metadata.$lastUpdated,
      mode,
      level,
    });
  });

  test('the merged event keeps a deletion of the earlier update, and loses the metadata of values that the later one deletes', () => {
    expect(
      both({ reported: { old: null } }, { reported: { level: 2 } }).body.properties.reported,
    ).toMatchObject({
      old: null,
      level: 2,
    });
    const { body } = both({ reported: { level: 2 } }, { reported: { level: null } });
    expect(body.properties.reported).toMatchObject({ level: null, $version: 4 });
    expect(body.properties.reported.$metadata).not.toHaveProperty('level');
  });

  test('the merged event of different sections has the version of each section', () => {
    const { body } = both({ desired: { b: 2 }, tags: { floor: 1 } }, { reported: { level: 2 } });

    expect(body).toMatchObject({
      version: 5,
      tags: { floor: 1 },
      properties: { desired: { b: 2, $version: 2 }, reported: { level: 2, $version: 3 } },
    });
  });

  test('two updates are not merged where an object replaces another value, because a patch would keep the old value', () => {
    expect(both({ desired: { a: null } }, { desired: { a: { z: 1 } } }).event).toBeUndefined();
    expect(both({ desired: { a: 5 } }, { desired: { a: { z: 1 } } }).event).toBeUndefined();
    expect(both({ tags: { site: null } }, { tags: { site: { z: 1 } } }).event).toBeUndefined();
  });

  test('the merged event has the same effect as the two events one after the other', () => {
    const leaf = fc.oneof(fc.constantFrom(null, 1, 2, 'x'), fc.constant([1]));
    const key = fc.constantFrom('a', 'b', 'c');
    const patch = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf))) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(patch, patch, patch, (base, first, second) => {
        const start = createTwin(AT[0], { reported: base });
        const one = written(start, { reported: first }, AT[1]);
        const two = written(one.twin, { reported: second }, AT[2]);
        const event = coalesce(one.event, two.event);
        if (event === undefined) return;
        const { $version, $metadata, ...values } = JSON.parse(event.body.toString()).properties.reported;
        expect(mergeValues(start.reported.values, values)).toEqual(two.twin.reported.values);
        expect($version).toBe(two.twin.reported.version);
        expect($metadata.$lastUpdated).toBe(two.twin.reported.metadata.$lastUpdated);
      }),
    );
  });

  test('two updates are not merged if a body is not an object', () => {
    const { event } = written(START, { tags: { site: 'rtm' } }, AT[1]);
    expect(coalesce({ ...event, body: Buffer.from('x') }, event)).toBeUndefined();
    expect(coalesce(event, { ...event, body: Buffer.from('[]') })).toBeUndefined();
  });
});
