import { describe, expect, test } from '@jest/globals';
import { type EventPosition, parseEventPosition } from '../../../local/event-hubs/event-position.ts';

describe('a position in a partition', () => {
  test.each<[string | undefined, EventPosition]>([
    [undefined, { by: 'start' }],
    ["amqp.annotation.x-opt-offset > '-1'", { by: 'start' }],
    ["amqp.annotation.x-opt-offset >= '-1'", { by: 'start' }],
    ["amqp.annotation.x-opt-offset > '@latest'", { by: 'latest' }],
    ["amqp.annotation.x-opt-offset > '12352'", { by: 'offset', value: 12352, inclusive: false }],
    ["amqp.annotation.x-opt-offset >= '0'", { by: 'offset', value: 0, inclusive: true }],
    ["amqp.annotation.x-opt-sequence-number > '-1'", { by: 'sequenceNumber', value: -1, inclusive: false }],
    ["amqp.annotation.x-opt-sequence-number >= '7'", { by: 'sequenceNumber', value: 7, inclusive: true }],
    [
      "amqp.annotation.x-opt-enqueued-time > '1654122470329'",
      { by: 'enqueuedTime', value: 1_654_122_470_329, inclusive: false },
    ],
    // .NET writes values without quotes.
    ['amqp.annotation.x-opt-offset > -1', { by: 'start' }],
    ['amqp.annotation.x-opt-sequence-number >= 42', { by: 'sequenceNumber', value: 42, inclusive: true }],
  ])('the filter %s is parsed', (filter, position) => {
    expect(parseEventPosition(filter)).toEqual(position);
  });

  test.each([
    '',
    'amqp.annotation.x-opt-offset > no offset',
    "amqp.annotation.x-opt-offset < '5'",
    "amqp.annotation.x-opt-offset > ''",
    "amqp.annotation.x-opt-offset > '1.5'",
    "amqp.annotation.x-opt-sequence-number > '@latest'",
    "amqp.annotation.x-opt-partition-key > '5'",
    "amqp.annotation.x-opt-offset > '5' OR 1 = 1",
  ])('the filter "%s" is refused', (filter) => {
    expect(parseEventPosition(filter)).toBeUndefined();
  });
});
