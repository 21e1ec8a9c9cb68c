import rhea from 'rhea';
import { notImplemented, unauthorized } from '../../amqp/conditions.ts';
import type { AmqpError, NodeRequest, NodeResponse } from '../../amqp/index.ts';
import { entityNotFound, partitionOutOfRange } from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import type { Partition } from '../partition.ts';
import type { Access } from './access.ts';

const HUB = 'com.microsoft:eventhub';
const PARTITION = 'com.microsoft:partition';
/** Type code of a string of up to 255 bytes. */
const STR8 = 0xa1;

const { types } = rhea;

/**
 * Answers READ of an event hub or a partition. The .NET SDK casts every value to the type that is written here, so
 * the types must not change.
 */
export function answerManagement(
  request: NodeRequest,
  findHub: (name: string) => EventHub | undefined,
  access: Access,
): NodeResponse {
  const { operation, type, name, partition: partitionId } = request.properties;
  if (operation !== 'READ' || (type !== HUB && type !== PARTITION)) {
    return failed(501, notImplemented('Only READ of an event hub or a partition is supported.'));
  }
  const hub = typeof name === 'string' ? findHub(name) : undefined;
  if (hub === undefined) return failed(404, entityNotFound(String(name)));
  if (!access.allows(hub.name))
    return failed(
      401,
      unauthorized(
        "Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation.",
      ),
    );
  if (type === HUB) return { status: 200, description: 'OK', body: describeHub(hub) };
  const partition = hub.partition(String(partitionId));
  if (partition === undefined) return failed(400, partitionOutOfRange(hub.partitions.length));
  return { status: 200, description: 'OK', body: describePartition(hub, partition) };
}

function describeHub(hub: EventHub) {
  const ids = hub.partitions.map(({ id }) => id);
  return {
    name: hub.name,
    type: HUB,
    created_at: types.wrap_timestamp(hub.createdAt),
    partition_count: types.wrap_int(ids.length),
    partition_ids: types.wrap_array(ids, STR8, undefined),
    georeplication_factor: types.wrap_int(1),
  };
}

function describePartition(hub: EventHub, partition: Partition) {
  const { last } = partition;
  const isNew = last.sequenceNumber < 0;
  return {
    name: hub.name,
    type: PARTITION,
    partition: partition.id,
    begin_sequence_number: types.wrap_long(isNew ? -1 : partition.beginning),
    last_enqueued_sequence_number: types.wrap_long(last.sequenceNumber),
    last_enqueued_offset: String(last.offset),
    last_enqueued_time_utc: types.wrap_timestamp(last.enqueuedTime),
    is_partition_empty: partition.isEmpty,
  };
}

function failed(status: number, { condition, description }: AmqpError): NodeResponse {
  return { status, condition, description };
}
