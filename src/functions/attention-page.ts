import { BerthError } from '../errors.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { type PartitionKey, partitionsOf } from '../store/tables/keys.ts';
import type { Attention, TwinStore } from '../store/twins/twin-store.ts';
import { isoTime } from './http-answer.ts';

const DEFAULT_PAGE = 100;
const LONGEST_PAGE = 1_000;

/** A page of the attention list. */
export interface Page {
  readonly top: number;
  /** The partition with which the page starts. `after`: the last row of the page before. */
  readonly partition: number;
  readonly after: string | undefined;
}

/** @throws BerthError `BERTH_REQUEST_INVALID` */
export function pageOf(top: string | null, after: string | null): Page {
  const size = top === null ? DEFAULT_PAGE : Number(top);
  if (!Number.isInteger(size) || size < 1 || size > LONGEST_PAGE) {
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      `top is ${JSON.stringify(top)}: give a whole number from 1 to ${LONGEST_PAGE}.`,
    );
  }
  if (after === null) return { top: size, partition: 0, after: undefined };
  const [partition, ...row] = Buffer.from(after, 'base64url').toString('utf8').split('/');
  const index = Number(partition);
  if (!Number.isInteger(index) || index < 0 || row.length === 0) {
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      'after is not a value of attention.next: copy it from the page before.',
    );
  }
  return { top: size, partition: index, after: row.join('/') };
}

/** The twins that need attention, and the start of the next page. */
export async function attentionPage(
  twins: Pick<TwinStore, 'attention'>,
  hosts: readonly HostName[],
  { top, partition, after }: Page,
) {
  const partitions: readonly PartitionKey[] = hosts.flatMap((host) => partitionsOf(host));
  const items: Attention[] = [];
  for (let index = partition; index < partitions.length; index += 1) {
    const key = partitions[index];
    if (key === undefined) break;
    const rows = await twins.attention(key, index === partition ? after : undefined, top - items.length);
    items.push(...rows);
    const last = rows.at(-1);
    if (items.length === top && last !== undefined) {
      return {
        items: items.map(describeAttention),
        next: Buffer.from(`${index}/${last.rowKey}`).toString('base64url'),
      };
    }
  }
  return { items: items.map(describeAttention), next: null };
}

function describeAttention({ id, status, since, why }: Attention) {
  return {
    hub: id.host,
    deviceId: id.deviceId,
    ...(id.moduleId === undefined ? {} : { moduleId: id.moduleId }),
    status,
    since: isoTime(since),
    why,
  };
}
