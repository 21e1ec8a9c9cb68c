import { describe, expect, test } from '@jest/globals';
import type { KeptLetter } from '../../src/store/dead-letters/dead-letter-store.ts';
import { eventContext } from '../../src/sync/events/batch.ts';
import { replay } from '../../src/sync/events/replay.ts';
import { markForRead } from '../../src/sync/reconcile/mark-for-read.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { letterOf } from '../store/letters.ts';
import { at, fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';
import { MemoryTwinStore } from './memory-store.ts';

const NOW = plus(T0, 3_600_000);
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

async function setUp(snapshot = snapshotOf({ asOf: at(-3_600) })) {
  const store = new MemoryTwinStore();
  await store.save(
    { id: ID, known: { kind: 'nothing' }, etag: undefined, isRemembered: false },
    { kind: 'snapshot', snapshot },
  );
  const act = (parts?: Partial<KeptLetter>) => replay(letter(parts), { context, store, now: NOW });
  const known = async (id: TwinId = ID) => (await store.load(id)).known;
  return { store, act, known };
}

describe('a dead letter that can be decoded now', () => {
  test('marks its twin for a read, and its body is not used', async () => {
    const { act, known } = await setUp();

    expect(await act()).toEqual({ kind: 'marked', id: ID });

    const why = 'dead letter 2026-11-23/3/1234/abcd was replayed';
    expect(await known()).toEqual({
      kind: 'snapshot',
      snapshot: expect.objectContaining({
        version: 2,
        reported: {},
        unread: { since: '2026-11-23T11:59:59.5000000Z', why },
        workItem: { priority: 'drift', at: NOW, why, tries: 0 },
      }),
    });
  });

  test('counts from its arrival when its own time is later', async () => {
    const { act, known } = await setUp();
    const properties = { ...letterOf().properties, operationTimestamp: '9999-01-01T00:00:00Z' };

    await act({ properties });

    expect(await known()).toMatchObject({ snapshot: { unread: { since: instantOf(T0) } } });
  });

  test('changes nothing when its twin was deleted later', async () => {
    const { act, known, store } = await setUp();
    await store.save(await store.load(ID), { kind: 'deleted', at: at(0) });

    expect(await act()).toEqual({ kind: 'deleted', id: ID });
    expect(await known()).toEqual({ kind: 'deleted', at: at(0) });
  });

  test('asks the hub for the device and its modules when it reports a deletion', async () => {
    const { act, known, store } = await setUp();
    const module = { ...ID, moduleId: 'm' };
    await store.save(await store.load(module), { kind: 'snapshot', snapshot: snapshotOf({ id: module }) });

    expect(await act({ ...opType('deleteDeviceIdentity'), cut: ['body'] })).toMatchObject({ kind: 'marked' });

    for (const id of [ID, module])
      expect(await known(id)).toMatchObject({ snapshot: { workItem: { at: NOW } } });
  });

  test('is finished when its event is not needed', async () => {
    const { act, store } = await setUp();
    const source = { 'iothub-message-source': 'Telemetry' };

    expect(await act({ systemProperties: source })).toEqual({ kind: 'ignored', why: 'telemetry' });
    expect(store.writes).toBe(1);
  });
});

describe('a dead letter that cannot be replayed', () => {
  test.each<[string, Partial<KeptLetter>, string]>([
    ['a body that is still not JSON', { body: Buffer.from('no') }, 'has a body that is not JSON'],
    [
      'a shortened body',
      { body: Buffer.alloc(300_000), bodyBytes: 900_000, cut: ['body'] },
      'has 300000 bytes, more than IoT Hub sends; only 300000 of the 900000 bytes of its body are stored',
    ],
    [
      'shortened properties',
      { properties: { truncated: '{"hubName":"weu' }, cut: ['properties'] },
      'has properties that were too long to be stored in full',
    ],
    [
      'shortened system properties, even if they would make the event ignored',
      { systemProperties: { 'iothub-message-source': 'Telemetry' }, cut: ['systemProperties'] },
      'has properties that were too long to be stored in full',
    ],
    [
      'a hub that is not in the fleet file',
      { properties: { ...letterOf().properties, hubName: 'other' } },
      'is from other, which the fleet file does not list',
    ],
    [
      'no device identity',
      { systemProperties: {} },
      'has no iothub-message-source: it is not from an IoT hub',
    ],
  ])('stays with a reason: %s', async (_, parts, why) => {
    const { act, store } = await setUp();

    expect(await act(parts)).toEqual({ kind: 'stays', why });
    expect(store.writes).toBe(1);
  });

  test('stays when decoding it causes a defect', async () => {
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

describe('marking a twin that other writers change', () => {
  const MARK = { since: at(0), why: 'test', priority: 'resync', now: NOW } as const;

  test('marks the version that the others have stored', async () => {
    const { store, known } = await setUp();
    store.meanwhile = async () => {
      await store.save(await store.load(ID), { kind: 'snapshot', snapshot: snapshotOf({ version: 8 }) });
    };

    expect(await markForRead(store, ID, MARK)).toBe('marked');
    expect(await known()).toMatchObject({ snapshot: { version: 8, unread: { why: 'test' } } });
  });

  test('does nothing when the others have deleted the twin', async () => {
    const { store, known } = await setUp();
    store.meanwhile = async () => {
      await store.save(await store.load(ID), { kind: 'deleted', at: at(1) });
    };

    expect(await markForRead(store, ID, MARK)).toBe('deleted');
    expect(await known()).toEqual({ kind: 'deleted', at: at(1) });
  });

  test('gives up when the changes never end', async () => {
    const { store } = await setUp();
    const busy = { load: (id: TwinId) => store.load(id), save: async () => 'conflict' as const };

    await expect(markForRead(busy, ID, MARK)).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
  });
});
