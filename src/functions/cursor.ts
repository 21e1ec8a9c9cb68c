import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import { parseHubName, shownHub } from '../iot-hub/host-name.ts';
import { type PartitionKey, partitionsOf } from '../store/tables/keys.ts';

/** The last row of the page before: what `next` holds, and `after` gives back. */
export interface Cursor {
  readonly partition: PartitionKey;
  readonly rowKey: string;
}

/** Keys of rows have no other characters, and at most 512 of them. */
const ROW_KEY = /^[ -~]{1,512}$/;

export function cursorText({ partition, rowKey }: Cursor): string {
  return Buffer.from(`${partition}/${rowKey}`).toString('base64url');
}

/**
 * Reads a cursor; undefined where none is given.
 *
 * @param prefix which rows the list has.
 * @throws BerthError `BERTH_REQUEST_INVALID`
 */
export function readCursor(
  after: string | undefined,
  partitions: readonly PartitionKey[],
  prefix: string,
): Cursor | undefined {
  if (after === undefined) return undefined;
  const [name, ...row] = Buffer.from(after, 'base64url').toString('utf8').split('/');
  const partition = partitions.find((each) => each === name);
  const rowKey = row.join('/');
  if (partition === undefined || !ROW_KEY.test(rowKey) || !rowKey.startsWith(prefix)) {
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      'after is none of the values that next had: begin without it.',
    );
  }
  return { partition, rowKey };
}

/**
 * The hubs that a list is about: all, or the one that the query names.
 *
 * @throws BerthError `BERTH_REQUEST_INVALID` for a hub that is not in the fleet file
 */
export function listedHubs({ hubs, hubByHost }: Fleet, name: string | undefined): readonly Hub[] {
  if (name === undefined) return hubs;
  const parsed = parseHubName(name);
  const hub = parsed && hubByHost.get(parsed.host);
  if (hub !== undefined) return [hub];
  throw new BerthError(
    'BERTH_REQUEST_INVALID',
    `hub is ${shownHub(name)}: the fleet file defines ${hubs.map(({ host }) => host).join(', ')}.`,
  );
}

/** The partitions of hubs, in the order of a list. */
export function listedPartitions(hubs: readonly Hub[]): readonly PartitionKey[] {
  return hubs.flatMap(({ host }) => partitionsOf(host));
}
