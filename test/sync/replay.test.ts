import { describe, expect, test } from '@jest/globals';
import type { KeptLetter } from '../../src/store/dead-letters/dead-letter-store.ts';
import { eventContext } from '../../src/sync/events/batch.ts';
import { replay } from '../../src/sync/events/replay.ts';
import { markForRead } from '../../src/sync/reconcile/mark-due.ts';
import { instantOf } from '../../src/time/instant.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { letterOf } from '../store/letters.ts';
import { at, fleetOf, ID, shadowOf, T0 } from '../twin/twins.ts';
import { MemoryTwinStore } from './memory-store.ts';

const NOW = T0 + 3_600_000;
const context = eventContext({
  fleet: fleetOf({ policies: [{ name: 'p', desired: { a: 1 } }] }),
  hosts: [ID.host],
});
const BODY = Buffer.from(
  JSON.stringify({ version: 7, properties: { reported: { a: 'from the body', $version: 3 } } }),
);

function letter(parts: Partial<KeptLetter> = {}): KeptLetter {
  const kept = letterOf({ body: BODY });
  const key = { day: '2026-11-23', rowKey: 'k' };
  return { ...kept, key, id: '2026-11-23/3/1234/abcd', bodyBytes: kept.body.byteLength, cut: [], ...parts };
}
const opType = (type: string) => ({ properties: { ...letterOf().properties, opType: type } });

async function setUp(shadow = shadowOf({ asOf: at(-3_600) })) {
  const store = new MemoryTwinStore();
  await store.save(
    { id: ID, known: { kind: 'nothing' }, etag: undefined, isRemembered: false },
    { kind: 'shadow', shadow },
  );
  const act = (parts?: Partial<KeptLetter>) => replay(letter(parts), { context, store, now: NOW });
  const known = async (id: TwinId = ID) => (await store.load(id)).known;
  return { store, act, known };
}

describe('a dead letter that decodes now', () => {
  test('marks its twin for a read, and its body is not taken', async () => {
    const { act, known } = await setUp();

    expect(await act()).toEqual({ kind: 'marked', id: ID });

    const why = 'dead letter 2026-11-23/3/1234/abcd was replayed';
    expect(await known()).toEqual({
      kind: 'shadow',
      shadow: expect.objectContaining({
        version: 2,
        reported: {},
        unread: { since: '2026-11-23T11:59:59.5000000Z', why },
        due: { priority: 'drift', at: NOW, why, tries: 0 },
      }),
    });
  });

  test('is no younger than its arrival, whatever it says', async () => {
    const { act, known } = await setUp();
    const properties = { ...letterOf().properties, operationTimestamp: '9999-01-01T00:00:00Z' };

    await act({ properties });

    expect(await known()).toMatchObject({ shadow: { unread: { since: instantOf(T0) } } });
  });

  test('of a twin that was deleted later changes nothing', async () => {
    const { act, known, store } = await setUp();
    await store.save(await store.load(ID), { kind: 'deleted', at: at(0) });

    expect(await act()).toEqual({ kind: 'deleted', id: ID });
    expect(await known()).toEqual({ kind: 'deleted', at: at(0) });
  });

  test('and tells of a deletion asks the hub about the device and its modules', async () => {
    const { act, known, store } = await setUp();
    const module = { ...ID, moduleId: 'm' };
    await store.save(await store.load(module), { kind: 'shadow', shadow: shadowOf({ id: module }) });

    expect(await act({ ...opType('deleteDeviceIdentity'), cut: ['body'] })).toMatchObject({ kind: 'marked' });

    for (const id of [ID, module]) expect(await known(id)).toMatchObject({ shadow: { due: { at: NOW } } });
  });

  test('of a kind that is not needed is done', async () => {
    const { act, store } = await setUp();
    const source = { 'iothub-message-source': 'Telemetry' };

    expect(await act({ systemProperties: source })).toEqual({ kind: 'ignored', why: 'telemetry' });
    expect(store.writes).toBe(1);
  });
});

describe('a dead letter stays', () => {
  test.each<[string, Partial<KeptLetter>, string]>([
    ['that is still no JSON', { body: Buffer.from('no') }, 'has a body that is not JSON'],
    [
      'whose body was cut',
      { body: Buffer.alloc(300_000), bodyBytes: 900_000, cut: ['body'] },
      'has 300000 bytes, more than IoT Hub sends, of which 300000 of 900000 bytes were kept',
    ],
    [
      'whose properties were cut',
      { properties: { truncated: '{"hubName":"weu' }, cut: ['properties'] },
      'has properties that were too long to be kept whole',
    ],
    [
      'whose system properties were cut, though they would make it one to pass over',
      { systemProperties: { 'iothub-message-source': 'Telemetry' }, cut: ['systemProperties'] },
      'has properties that were too long to be kept whole',
    ],
    [
      'of a hub that is not in the fleet file',
      { properties: { ...letterOf().properties, hubName: 'other' } },
      'is from other, which the fleet file does not list',
    ],
    ['without identity', { systemProperties: {} }, 'has no iothub-message-source: it is not from an IoT hub'],
  ])('%s', async (_, parts, why) => {
    const { act, store } = await setUp();

    expect(await act(parts)).toEqual({ kind: 'stays', why });
    expect(store.writes).toBe(1);
  });

  test('while decoding it is a defect', async () => {
    const { store } = await setUp();
    const broken = {
      ...context,
      hubNamed: () => {
        throw new TypeError('boom');
      },
    };

    expect(await replay(letter(), { context: broken, store, now: NOW })).toEqual({
      kind: 'stays',
      why: 'TypeError: boom',
    });
  });
});

describe('marking while others work on the twin', () => {
  const MARK = { since: at(0), why: 'test', priority: 'resync', now: NOW } as const;

  test('takes what they have stored, and marks that', async () => {
    const { store, known } = await setUp();
    store.meanwhile = async () => {
      await store.save(await store.load(ID), { kind: 'shadow', shadow: shadowOf({ version: 8 }) });
    };

    expect(await markForRead(store, ID, MARK)).toBe('marked');
    expect(await known()).toMatchObject({ shadow: { version: 8, unread: { why: 'test' } } });
  });

  test('leaves a twin alone that they have deleted', async () => {
    const { store, known } = await setUp();
    store.meanwhile = async () => {
      await store.save(await store.load(ID), { kind: 'deleted', at: at(1) });
    };

    expect(await markForRead(store, ID, MARK)).toBe('deleted');
    expect(await known()).toEqual({ kind: 'deleted', at: at(1) });
  });

  test('gives up where it never comes to an end', async () => {
    const { store } = await setUp();
    const busy = { load: (id: TwinId) => store.load(id), save: async () => 'conflict' as const };

    await expect(markForRead(busy, ID, MARK)).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
  });
});
