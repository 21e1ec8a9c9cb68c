import { app } from '@azure/functions';
import type { DevicePage } from '../api/contract.ts';
import { devicesQuery, readQuery } from '../api/queries.ts';
import { BerthError } from '../errors.ts';
import type { Fleet, Policy } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { snapshotPrefix } from '../store/tables/keys.ts';
import type { ListedTwin } from '../store/twins/twin-lists.ts';
import { cursorText, listedHubs, listedPartitions, readCursor } from './cursor.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';

/** Rows that one request reads at most: a filter that matches few twins answers a short page with `next`. */
const MOST_ROWS = 5_000;
/** What the tables answer at once. */
const ROWS_A_CALL = 1_000;

const LEAST_ROWS = 50;
/** No key has it: `~` begins an escape, and is none itself. */
const BEHIND_ALL = '~~';

/** The twins that Berth has stored, page by page. */
export function registerDevices(instance: Instance): void {
  app.http('devices', {
    methods: ['GET'],
    authLevel: 'function',
    route: 'devices',
    handler: devices(instance),
  });
}

export function devices(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const { hub, status, policy, prefix = '', top, after } = readQuery(devicesQuery, request.query);
    const fleet = instance.fleet.current();
    const policyId = policy === undefined ? undefined : knownPolicy(fleet, policy).id;
    const names = new Map(fleet.twins.policies.map(({ id, name }) => [id, name]));
    const isWanted = (twin: ListedTwin): boolean =>
      (status === undefined || twin.status === status) &&
      (policyId === undefined || Object.hasOwn(twin.policies, policyId));

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
      // A call that finds nothing costs as much as some rows.
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

    function describe({ id, status: twinStatus, policies }: ListedTwin): DevicePage['items'][number] {
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
  const policy = twins.policies.find((each) => each.name === name);
  if (policy !== undefined) return policy;
  const all = twins.policies.map((each) => each.name).join(', ') || 'no policy';
  throw new BerthError(
    'BERTH_REQUEST_INVALID',
    `policy is ${JSON.stringify(name)}: the fleet file defines ${all}.`,
  );
}
