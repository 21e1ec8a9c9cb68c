import { describe, expect, test } from '@jest/globals';
import type { AmqpError } from '../../../local/amqp/index.ts';
import { MAX_READERS, type Reader, Readers } from '../../../local/event-hubs/readers.ts';

interface FakeReader extends Reader {
  readonly lost: AmqpError[];
}

function fakeReader(name: string, epoch?: number): FakeReader {
  const lost: AmqpError[] = [];
  return { name, epoch, next: 0, lost, disconnect: (error) => lost.push(error) };
}

describe('readers of a partition', () => {
  test.each<[string, number | undefined, number | undefined, 'shares' | 'takes over' | 'is refused']>([
    ['two readers without an epoch', undefined, undefined, 'shares'],
    ['an epoch after none', undefined, 0, 'takes over'],
    ['no epoch after one', 0, undefined, 'is refused'],
    ['a higher epoch', 1, 2, 'takes over'],
    ['an equal epoch', 1, 1, 'takes over'],
    ['a lower epoch', 2, 1, 'is refused'],
  ])('%s: after the epoch %s, a reader with the epoch %s %s', (_, first, second, result) => {
    const readers = new Readers();
    const one = fakeReader('one', first);
    const two = fakeReader('two', second);
    readers.admit(one);

    const refusal = readers.admit(two);

    expect(refusal?.condition).toBe(result === 'is refused' ? 'amqp:link:stolen' : undefined);
    expect(one.lost.map((error) => error.condition)).toEqual(
      result === 'takes over' ? ['amqp:link:stolen'] : [],
    );
    expect(readers.connected).toEqual(
      { shares: [one, two], 'takes over': [two], 'is refused': [one] }[result],
    );
  });

  test('a new reader with an epoch disconnects all readers without one', () => {
    const readers = new Readers();
    const others = ['a', 'b', 'c'].map((name) => fakeReader(name));
    for (const other of others) readers.admit(other);

    readers.admit(fakeReader('owner', 0));

    expect(others.map(({ lost }) => lost.length)).toEqual([1, 1, 1]);
  });

  test('a removed reader releases the partition', () => {
    const readers = new Readers();
    const owner = fakeReader('owner', 5);
    readers.admit(owner);
    readers.remove(owner);

    expect(readers.admit(fakeReader('next'))).toBeUndefined();
    expect(readers.connected.map(({ name }) => name)).toEqual(['next']);
  });

  test(`no more than ${MAX_READERS} readers share a partition`, () => {
    const readers = new Readers();
    for (let index = 0; index < MAX_READERS; index += 1) readers.admit(fakeReader(`reader ${index}`));

    const refusal = readers.admit(fakeReader('one too many'));

    expect(refusal).toMatchObject({
      condition: 'amqp:resource-limit-exceeded',
      description: expect.stringContaining('reader 0, reader 1, reader 2, reader 3, reader 4'),
    });
  });
});
