import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { ReaderLink, type ReaderLinkOptions } from '../../../local/event-hubs/amqp/reader-link.ts';
import { eventually } from './reading.ts';

describe('a reader link', () => {
  test('is closed with an error if its partition cannot be read, and nothing is thrown', async () => {
    const closed: unknown[] = [];
    const errors: string[] = [];
    const sender = Object.assign(new EventEmitter(), {
      credit: 5,
      delivery_count: 0,
      session: { outgoing: { available: () => 2_048 } },
      is_open: () => true,
      close: (error: unknown) => closed.push(error),
    });
    const partition = {
      onAppend: () => () => {},
      read() {
        throw new Error('no space left on device');
      },
    };
    const stream = { destroyed: false, writableLength: 0, cork() {}, uncork() {} };
    const reader = new ReaderLink({
      sender,
      stream,
      partition,
      name: 'reader',
      epoch: undefined,
      next: 0,
      runtimeMetrics: false,
      now: Date.now,
      log: { info() {}, warn() {}, error: (line: string) => errors.push(line) },
    } as unknown as ReaderLinkOptions);

    reader.start();
    await eventually(() => closed.length === 1, 'the link was closed');

    expect(closed).toMatchObject([{ condition: 'amqp:internal-error' }]);
    expect(errors).toEqual([expect.stringContaining('no space left on device')]);
  });
});
