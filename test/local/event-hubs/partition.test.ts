import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encodeEvent, readProducedEvents } from '../../../local/event-hubs/message/event-message.ts';
import { Partition, type Retention } from '../../../local/event-hubs/partition.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NO_LIMIT: Retention = { events: 1e9, ms: 1e15, bytes: 1e15 };

describe('a partition', () => {
  let directory: string;
  let file: string;
  let clock: number;
  let partition: Partition;

  const open = (retention: Partial<Retention> = {}) => {
    partition = new Partition('0', file, { ...NO_LIMIT, ...retention }, () => clock);
  };
  const append = (count: number, bodySize = 10) => {
    const message = encodeEvent({ body: Buffer.alloc(bodySize) });
    return partition.append(Array.from({ length: count }, () => readProducedEvents(message, 0)).flat());
  };
  const kept = () => partition.last.sequenceNumber + 1 - partition.beginning;

  beforeEach(() => {
    directory = temporaryFolder('partition');
    file = join(directory, '0.jsonl');
    clock = 1_000;
  });
  afterEach(() => {
    partition.close();
  });

  test('keeps at most the allowed number of events', () => {
    open({ events: 100 });
    append(250);

    expect(partition.beginning).toBe(150);
    expect(partition.read(0)?.sequenceNumber).toBe(150);
    expect(partition.read(200)?.sequenceNumber).toBe(200);
    expect(partition.read(250)).toBeUndefined();
  });

  test('keeps at most the allowed number of bytes', () => {
    open({ bytes: 100_000 });
    append(50, 10_000);

    expect(kept()).toBe(9);
  });

  test('deletes expired events, even if no new ones arrive', () => {
    open({ ms: 60_000 });
    append(3);
    clock += 40_000;
    append(2);
    clock += 30_000;

    expect(partition.beginning).toBe(3);
    clock += 60_000;
    expect(partition.isEmpty).toBe(true);
    expect(partition.beginning).toBe(5);
    expect(partition.start({ by: 'sequenceNumber', value: 1, inclusive: true })).toEqual({
      ok: true,
      sequenceNumber: 5,
    });
    expect(append(1)[0]?.sequenceNumber).toBe(5);
  });

  test('reads from the oldest event if the position has expired', () => {
    open({ events: 10 });
    append(30);

    for (const by of ['offset', 'sequenceNumber', 'enqueuedTime'] as const) {
      expect(partition.start({ by, value: 3, inclusive: true })).toEqual({ ok: true, sequenceNumber: 20 });
    }
  });

  test('never assigns an earlier enqueued time, even if the clock goes back', () => {
    open();
    append(1);
    clock -= 500;

    expect(append(1)[0]?.enqueuedTime).toBe(1_000);
  });

  test('remembers its position after all events expired and the log was rewritten', () => {
    open({ events: 20, bytes: 1_000 });
    const last = append(40, 1_000_000).at(-1);
    expect(kept()).toBe(0);
    partition.close();

    open({ events: 20, bytes: 1_000 });

    expect(partition.last.sequenceNumber).toBe(39);
    const [next] = append(1);
    expect(next?.sequenceNumber).toBe(40);
    expect(next?.offset).toBeGreaterThan(last?.offset ?? Number.POSITIVE_INFINITY);
  });

  test('compacts its log so that it does not grow without limit', () => {
    const bytes = 2_000_000;
    open({ bytes });
    for (let round = 0; round < 60; round += 1) append(10, 100_000);

    // Base64 makes a third more; besides the events kept there may be as many that were dropped, and 8 MiB.
    expect(statSync(file).size).toBeLessThan(((2 * bytes + 8 * 1024 * 1024) * 4) / 3 + 200_000);
    const { last, beginning } = partition;
    partition.close();
    open({ bytes });
    expect(partition.last).toEqual(last);
    expect(partition.beginning).toBe(beginning);
    expect(partition.read(beginning)?.message.length).toBeGreaterThan(100_000);
  });

  test('notifies its listeners once for each append, until they unsubscribe', () => {
    open();
    let calls = 0;
    const leave = partition.onAppend(() => {
      calls += 1;
    });
    append(5);
    append(1);
    leave();
    append(1);

    expect(calls).toBe(2);
  });
});
