import { describe, expect, test } from '@jest/globals';
import {
  type EntityAddress,
  hubOfAudience,
  parseEntityAddress,
} from '../../../local/event-hubs/amqp/entity-address.ts';

const reader = { kind: 'reader', hub: 'hub', consumerGroup: '$Default', partitionId: '3' } as const;

describe('the address of an entity', () => {
  test.each<[unknown, EntityAddress]>([
    ['$management', { kind: 'management' }],
    ['hub/$management', { kind: 'management' }],
    ['hub', { kind: 'hub', hub: 'hub' }],
    ['hub/Partitions/3', { kind: 'partition', hub: 'hub', partitionId: '3' }],
    ['/hub/Partitions/3', { kind: 'partition', hub: 'hub', partitionId: '3' }],
    ['hub/ConsumerGroups/$Default/Partitions/3', reader],
    ['/hub/consumergroups/%24Default/partitions/3', reader],
    ['amqps://localhost:5672/hub/ConsumerGroups/$Default/Partitions/3', reader],
    ['', { kind: 'unknown' }],
    ['hub/Partitions', { kind: 'unknown' }],
    ['hub/Partitions/3/4', { kind: 'unknown' }],
    ['hub/ConsumerGroups/$Default', { kind: 'unknown' }],
    ['hub/%E0%A4%A/x', { kind: 'unknown' }],
    [undefined, { kind: 'unknown' }],
    [null, { kind: 'unknown' }],
    [5, { kind: 'unknown' }],
  ])('the address %s is parsed', (address, expected) => {
    expect(parseEntityAddress(address)).toEqual(expected);
  });

  test.each([
    ['sb://localhost:5672/hub', 'hub'],
    ['sb://localhost:5672/hub/ConsumerGroups/$Default/Partitions/0', 'hub'],
    ['amqps://localhost/hub/$management', 'hub'],
    ['sb://localhost:5672/', undefined],
    ['sb://localhost', undefined],
  ])('the event hub is found in the audience %s', (audience, hub) => {
    expect(hubOfAudience(audience)).toBe(hub);
  });
});
