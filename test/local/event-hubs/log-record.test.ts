import { describe, expect, test } from '@jest/globals';
import { readLogRecord } from '../../../local/event-hubs/log-record.ts';

const EVENT = { sequenceNumber: 0, offset: 0, enqueuedTime: 1, header: '', message: 'AA==' };

describe('one line of the log of a partition', () => {
  test('is an event, or the position of a log that was rewritten', () => {
    const restart = { last: { sequenceNumber: -1, offset: -1, enqueuedTime: 0 }, nextOffset: 0 };

    expect(readLogRecord(EVENT)).toEqual(EVENT);
    expect(readLogRecord(restart)).toEqual(restart);
  });

  test.each([
    ['no object', 'text'],
    ['a list', [EVENT]],
    ['null', null],
    ['no message', { ...EVENT, message: undefined }],
    ['a header that is no text', { ...EVENT, header: 1 }],
    ['a sequence number below -1', { ...EVENT, sequenceNumber: -2 }],
    ['an offset with a fraction', { ...EVENT, offset: 0.5 }],
    ['an offset as text', { ...EVENT, offset: '0' }],
    ['a time before the epoch', { ...EVENT, enqueuedTime: -1 }],
    ['a number beyond the safe integers', { ...EVENT, sequenceNumber: 2 ** 53 }],
  ])('is refused with %s', (_, line) => {
    expect(() => readLogRecord(line)).toThrow();
  });
});
