import type { DevicePage } from '../api/contract.ts';
import { devicesQuery, readQuery } from '../api/queries.ts';
import { BerthError } from '../errors.ts';
import { allPolicies, type Fleet, type Policy } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { snapshotPrefix } from '../store/tables/keys.ts';
import type { ListedSnapshot } from '../store/twins/twin-lists.ts';
import { passesFilter } from '../twin/snapshot/snapshot.ts';
import { cursorText, listedHubs, listedPartitions, readCursor } from './cursor.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';

/** The most rows that one request reads. If a filter matches few twins, the page is short and has a `next`. */
const MOST_ROWS = 5_000;
/** The most rows that Table Storage answers in one call. */
const ROWS_A_CALL = 1_000;
/** The least rows that a call counts as, because a call for an empty partition costs time too. */
const LEAST_ROWS = 50;
/** Sorts after every key: `~` begins an escape, and two of them never stand together. */
const BEHIND_ALL = '~~';

/** The twins that Berth has stored, page by page. */
export function devices(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const { hub, status, policy, prefix = '', top, after } = readQuery(devicesQuery, request.query);
    const fleet = instance.fleet.current();
    const policyId = policy === undefined ? undefined : knownPolicy(fleet, policy).id;
    const names = new Map(allPolicies(fleet.twins).map(({ id, name }) => [id, name]));
    const isWanted = (twin: ListedSnapshot): boolean =>
      passesFilter(twin.status, status) && (policyId === undefined || Object.hasOwn(twin.policies, policyId));

    const partitions = listedPartitions(listedHubs(fleet, hub));
    let cursor = readCursor(after, partitions, snapshotPrefix(prefix));
    let index = cursor === undefined ? 0 : partitions.indexOf(cursor.partition);
    const items: DevicePage['items'][number][] = [];
    for (let looked = 0; looked < MOST_ROWS; ) {
      const partition = partitions[index];
      if (partition === undefined) return page(null);
      const limit = Math.min(ROWS_A_CALL, MOST_ROWS - looked);
      const rows = await instance.stores.lists.twins(
        { partition, after: cursor?.partition === partition ? cursor.rowKey : undefined, limit },
        prefix,
      );
      for (const { rowKey, item } of rows) {
        cursor = { partition, rowKey };
        if (item === undefined || !isWanted(item)) continue;
        items.push(describe(item));
        if (items.length === top) return page(cursorText(cursor));
      }
      looked += Math.max(rows.length, LEAST_ROWS);
      if (rows.length < limit) {
        cursor = { partition, rowKey: `${snapshotPrefix(prefix)}${BEHIND_ALL}` };
        index += 1;
      }
    }
    return page(cursor === undefined ? null : cursorText(cursor));

    function page(next: string | null) {
      return taggedAnswer<DevicePage>(request, { items, next });
    }

    function describe({ id, status: twinStatus, policies }: ListedSnapshot): DevicePage['items'][number] {
      const { host, deviceId, moduleId = null } = id;
      const named = Object.entries(policies).flatMap(([policyId, each]) => {
        const name = names.get(policyId);
        return name === undefined ? [] : [[name, each] as const];
      });
      return { hub: host, deviceId, moduleId, status: twinStatus, policies: Object.fromEntries(named) };
    }
  });
}

/** @throws BerthError `BERTH_REQUEST_INVALID` */
function knownPolicy({ twins }: Fleet, name: string): Policy {
  const known = allPolicies(twins);
  const policy = known.find((each) => each.name === name);
  if (policy !== undefined) return policy;
  const all = known.map((each) => each.name).join(', ') || 'no policy';
  throw new BerthError(
    'BERTH_REQUEST_INVALID',
    `policy is ${JSON.stringify(name)}: the fleet file defines ${all}.`,
  );
}
