import { beforeEach, describe, expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import type { HubBudget, NoPermit, PermittedOperation } from '../../src/hub/budget.ts';
import { type BudgetedHubPort, budgetHubs, type WritePermit } from '../../src/hub/budgeted-hubs.ts';
import type { HubPort } from '../../src/hub/port.ts';
import { redactHubs } from '../../src/hub/redacted-hubs.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { MemoryHub } from '../sync/memory-hub.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';

const FLEET = fleetOf({});
const NONE: NoPermit = { kind: 'noPermit', at: plus(T0, 5_000), why: 'used up', isQuota: false };
const OTHER = { ...ID, host: hostName('elsewhere.azure-devices.net') };

let hub: MemoryHub;
/** Permits that were asked for and calls that reached the hub, in their order. */
let order: string[];
let answer: Awaited<ReturnType<HubBudget['permit']>>;
let hubs: BudgetedHubPort;
beforeEach(() => {
  order = [];
  answer = { kind: 'granted' };
  hub = new MemoryHub(() => T0);
  hub.calls.push = (...calls) => order.push(...calls);
  hubs = budgeted();
});
const budgeted = ({ now = T0, until = plus(T0, 1_000) } = {}) =>
  budgetHubs(hub, {
    fleet: FLEET,
    budget: {
      permit: async ({ host }, operation, end) => {
        order.push(`permit to ${operation} at ${host} by ${end - T0}`);
        return answer;
      },
      permitApply: async ({ host }, identityOperations, end) => {
        order.push(`permit to apply with ${identityOperations} at ${host} by ${end - T0}`);
        return answer;
      },
    },
    until,
    now: () => now,
  });

type Called = Exclude<
  keyof BudgetedHubPort,
  'permitWrite' | 'patchDesired' | 'permitApply' | 'applyManifest' | 'permitParent' | 'enterParent'
>;
/** Every call but the write, whose permit comes before it. A call that is new must be added here. */
const CALLS: {
  readonly [Name in Called]: readonly [
    PermittedOperation,
    string,
    (id: typeof ID) => ReturnType<BudgetedHubPort[Name]>,
  ];
} = {
  readTwin: ['read', 'GET', (id) => hubs.readTwin(id)],
  identityStatus: ['identity', 'identity', (id) => hubs.identityStatus(id)],
  readScopes: ['identity', 'scopes', (id) => hubs.readScopes(id)],
  invokeMethod: ['method', 'method leave', (id) => hubs.invokeMethod(id, 'leave', {})],
  countDevices: ['statistics', 'count', ({ host }) => hubs.countDevices(host)],
  listTwins: ['query', 'query', ({ host }) => hubs.listTwins(host, 'devices', undefined)],
  beat: ['heartbeat', 'beat', ({ host }) => hubs.beat(host, T0)],
  readActivity: [
    'query',
    'activity of a b',
    ({ host }) => hubs.readActivity(host, { deviceIds: ['a', 'b'], moduleId: undefined }),
  ],
};

describe.each(Object.entries(CALLS))('%s', (_, [operation, sent, call]) => {
  const asked = `permit to ${operation} at ${ID.host} by 1000`;

  test('reaches the hub after its permit, and answers what the hub answers', async () => {
    expect(await call(ID)).toMatchObject({ kind: 'answered' });
    expect(order).toEqual([asked, sent]);
  });

  test('answers that there is no permit, and when there will be one, without a call', async () => {
    answer = NONE;

    expect(await call(ID)).toEqual(NONE);
    expect(order).toEqual([asked]);
  });

  test('makes no call after the end of the invocation, and does not ask for a permit', async () => {
    hubs = budgeted({ now: plus(T0, 1_001) });

    expect(await call(ID)).toMatchObject({ kind: 'noPermit', at: plus(T0, 1_001), isQuota: false });
    expect(order).toEqual([]);
  });

  test('makes no call to a hub that the fleet file does not list', async () => {
    expect(await call(OTHER)).toMatchObject({
      kind: 'noPermit',
      why: 'the fleet file does not list elsewhere.azure-devices.net',
    });
    expect(order).toEqual([]);
  });

  test('makes no call where the messages of the day cannot be counted', async () => {
    const away = new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
    const reject = () => Promise.reject(away);
    const budget: HubBudget = { permit: reject, permitApply: reject };
    hubs = budgetHubs(hub, { fleet: FLEET, budget, until: T0, now: () => T0 });

    await expect(call(ID)).rejects.toBe(away);
    expect(order).toEqual([]);
  });
});

test('a failure of the hub comes through as it is', async () => {
  hub.failures.push({ code: 'BERTH_HUB_THROTTLED' });

  await expect(hubs.readTwin(ID)).rejects.toMatchObject({ code: 'BERTH_HUB_THROTTLED' });
});

describe('an apply', () => {
  test('has a permit that counts the identity operations of the device, for one call', async () => {
    const permit = await hubs.permitApply(ID, 6);
    if (permit.kind === 'noPermit') throw new Error(permit.why);
    await hubs.applyManifest(permit, {});

    expect(order).toEqual([`permit to apply with 6 at ${ID.host} by 1000`, 'APPLY']);
    await expect(hubs.applyManifest(permit, {})).rejects.toThrow('one write');
  });

  test('without a permit makes no call', async () => {
    answer = NONE;

    expect(await hubs.permitApply(ID, 6)).toEqual(NONE);
    expect(order).toEqual([`permit to apply with 6 at ${ID.host} by 1000`]);
  });
});

describe('an entry of a parent', () => {
  test('needs two permits, because it reads and updates the identity', async () => {
    const permit = await hubs.permitParent(ID);
    if (permit.kind === 'noPermit') throw new Error(permit.why);
    expect(await hubs.enterParent(permit, 'scope')).toBe('entered');
    const asked = `permit to identity at ${ID.host} by 1000`;
    expect(order).toEqual([asked, asked, 'parent']);
  });

  test('without a permit makes no call', async () => {
    answer = NONE;

    expect(await hubs.permitParent(ID)).toEqual(NONE);
    expect(order).toHaveLength(1);
  });
});

describe('a write', () => {
  const permitted = async (port: BudgetedHubPort = hubs): Promise<WritePermit> => {
    const permit = await port.permitWrite(ID);
    if (permit.kind === 'noPermit') throw new Error(permit.why);
    return permit;
  };
  const etag = () => hub.twin().etag ?? '';

  test('needs a permit, which comes before it and names its twin', async () => {
    const permit = await permitted();
    expect(permit.id).toEqual(ID);
    expect(order).toEqual([`permit to write at ${ID.host} by 1000`]);

    const twin = await hubs.patchDesired(permit, { interval: 5 }, etag());

    expect(twin.desired.values).toEqual({ interval: 5 });
    expect(order.slice(1)).toEqual(['PATCH {"interval":5}']);
  });

  test('gets no permit where the budget has none', async () => {
    answer = NONE;

    expect(await hubs.permitWrite(ID)).toEqual(NONE);
  });

  test('gets no permit after the end of the invocation', async () => {
    hubs = budgeted({ until: plus(T0, -1) });

    expect(await hubs.permitWrite(ID)).toMatchObject({ kind: 'noPermit', at: T0 });
  });

  test('gets no permit for a hub that the fleet file does not list', async () => {
    expect(await hubs.permitWrite(OTHER)).toMatchObject({ kind: 'noPermit' });
  });

  test('uses up its permit, also where it fails', async () => {
    const permit = await permitted();
    hub.failures.push({ code: 'BERTH_HUB_UNAVAILABLE' });
    await expect(hubs.patchDesired(permit, { a: 1 }, etag())).rejects.toMatchObject({
      code: 'BERTH_HUB_UNAVAILABLE',
    });
    const before = order.length;

    await expect(hubs.patchDesired(permit, { a: 1 }, etag())).rejects.toThrow('one write');
    expect(order).toHaveLength(before);
  });

  test.each<[string, () => Promise<WritePermit>]>([
    ['of another port', () => permitted(budgeted())],
    ['that was made up', async () => ({ kind: 'writePermit', id: ID }) as WritePermit],
  ])('with a permit %s does not reach the hub', async (_, permitOf) => {
    const permit = await permitOf();
    const before = order.length;

    await expect(hubs.patchDesired(permit, { a: 1 }, etag())).rejects.toThrow('one write');
    expect(order).toHaveLength(before);
  });

  test('does not compile without a permit', () => {
    const wrong = (port: BudgetedHubPort, raw: HubPort) => {
      // @ts-expect-error a twin is no permit
      void port.patchDesired(ID, {}, '');
      // @ts-expect-error nor is what looks like one
      void port.patchDesired({ kind: 'writePermit', id: ID }, {}, '');
      // @ts-expect-error nor is the answer that there is none
      void port.patchDesired(NONE, {}, '');
      // @ts-expect-error nor is an answer that may be that there is none
      void port.permitWrite(ID).then((permit) => port.patchDesired(permit, {}, ''));
      // @ts-expect-error hubs without a budget are no hubs with one
      const without: BudgetedHubPort = raw;
      return without;
    };

    // `npm run typecheck` is the test: it fails where one of these lines compiles.
    expect(wrong).toBeInstanceOf(Function);
  });
});

describe('redacted hubs', () => {
  const redaction = { paths: [['wifi', 'psk']], key: Buffer.alloc(32, 1) };
  beforeEach(() => {
    hub = new MemoryHub(() => T0, { wifi: { psk: 'hunter2' } });
    hubs = redactHubs(budgeted(), redaction);
  });

  test('redact the answers of calls that had a permit', async () => {
    const read = await hubs.readTwin(ID);
    const permit = await hubs.permitWrite(ID);
    if (permit.kind === 'noPermit') throw new Error(permit.why);
    const written = await hubs.patchDesired(permit, { a: 1 }, hub.twin().etag ?? '');

    expect(read).toMatchObject({ kind: 'answered' });
    expect(JSON.stringify([read, written])).not.toContain('hunter2');
    expect(written.desired.values.a).toBe(1);
  });

  test('hand on that there is no permit', async () => {
    answer = NONE;

    expect([await hubs.readTwin(ID), await hubs.permitWrite(ID)]).toEqual([NONE, NONE]);
  });
});
