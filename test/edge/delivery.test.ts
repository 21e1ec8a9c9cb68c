import { beforeEach, describe, expect, test } from '@jest/globals';
import { patchTwinOf } from '../../local/iot-hub/operations/twin-operations.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { markForRead } from '../../src/sync/reconcile/mark-for-read.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { NEVER } from '../../src/time/instant.ts';
import { edgeFleet, HOST } from './edge-devices.ts';
import { EdgeWorld } from './edge-world.ts';

const SECRET = 'Hunter2Hunter2';
const UPSTREAM = 'FROM /messages/* INTO $upstream';
const sensor = (version: number, rest: object = {}) => ({
  name: 'sensor',
  modules: {
    sensor: { image: `contoso.azurecr.io/sensor:${version}`, env: { KEY: 'setting:SENSOR_KEY' }, ...rest },
  },
  routes: { toCloud: UPSTREAM },
});
const EDGE = {
  registries: [
    { address: 'contoso.azurecr.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' },
  ],
};
const fleet = (version = 1, ...more: readonly object[]) => edgeFleet([sensor(version), ...more], EDGE);
const imageOf = (content: JsonObject | undefined): unknown =>
  JSON.stringify(content).match(/contoso\.azurecr\.io\/sensor:\d+/)?.[0];

let world: EdgeWorld;
let values: Record<string, string>;
beforeEach(() => {
  values = { SENSOR_KEY: SECRET, ACR_USER: SECRET, ACR_PASSWORD: SECRET };
  world = new EdgeWorld(fleet());
  world.settings = (name) => values[name];
});

const FOREIGN = {
  schemaVersion: '1.1',
  runtime: { type: 'docker', settings: {} },
  systemModules: {},
  modules: { other: { settings: { image: 'other:1' } } },
};

describe('a new IoT Edge device', () => {
  test('gets its whole manifest as soon as its creation is seen, with the values of settings', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();

    expect(world.applied).toHaveLength(1);
    expect(JSON.stringify(world.applied[0]?.content)).toContain(SECRET);
    expect(world.statusOf('gateway-1')).toContain('pending: the device has not taken version');
  });

  test('gets one manifest, also if the event of the creation of $edgeHub comes after it', async () => {
    world.late = '$edgeHub';
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.late = undefined;
    await world.takeEvents();
    await world.after(60);

    expect(world.applied).toHaveLength(1);
  });

  test('gets its manifest, also if the events of its modules are handled before that of the device twin', async () => {
    world.createDevice('gateway-1');
    const creation = world.hold();
    const isOfModule = ({ properties }: (typeof creation)[number]) => properties.moduleId !== undefined;
    world.release(creation.filter(isOfModule));
    await world.takeEvents();
    world.release(creation.filter((event) => !isOfModule(event)));
    await world.takeEvents();
    await world.after(60);

    expect(world.applied).toHaveLength(1);
  });

  test('gets its manifest, also if it was deleted before and the events of its modules are handled first', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.deleteDevice('gateway-1');
    await world.takeEvents();
    world.now = plus(world.now, 5_000);
    world.createDevice('gateway-1');
    const creation = world.hold();
    const isOfModule = ({ properties }: (typeof creation)[number]) => properties.moduleId !== undefined;
    world.release(creation.filter(isOfModule));
    await world.takeEvents();
    world.release(creation.filter((event) => !isOfModule(event)));
    await world.takeEvents();
    await world.after(60);

    expect(world.applied).toHaveLength(2);
  });

  test('gets its manifest, also if the event of the device twin is lost', async () => {
    world.createDevice('gateway-1');
    const creation = world.hold();
    world.release(creation.filter(({ properties }) => properties.moduleId !== undefined));
    await world.takeEvents();
    await world.after(60);
    await world.after(60);

    expect(world.applied).toHaveLength(1);
  });

  test('keeps the manifest of another writer, also if its event comes after the creation of the device', async () => {
    world.createDevice('gateway-1');
    const creation = world.hold();
    world.applyByOther('gateway-1', FOREIGN);
    const rest = world.hold();
    world.release(creation);
    await world.takeEvents();
    world.release(rest);
    await world.takeEvents();

    expect(world.applied).toEqual([]);
    expect(world.statusOf('gateway-1')).toContain('contested: it has a manifest that Berth did not apply');
  });

  test('is in sync when it runs the manifest', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.runManifest('gateway-1');
    await world.takeEvents();

    expect(world.statusOf('gateway-1')).toBe('inSync');
    expect(world.snapshot('gateway-1').workItem).toBeUndefined();
    expect(Object.values(world.snapshot('gateway-1').lastReconcile.policies)).toEqual(['inSync']);
  });

  test('leaves no secret in any stored data, although the device reports all of them', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.runManifest('gateway-1');
    await world.takeEvents();

    expect(world.stored()).not.toContain(SECRET);
    expect(world.warnings.join()).not.toContain(SECRET);
  });

  test('that is no IoT Edge device gets nothing', async () => {
    world.createDevice('pump-1', {}, false);
    await world.takeEvents();

    expect(world.calls).toEqual([]);
  });

  test('that no deployment matches gets nothing', async () => {
    world.fleet = edgeFleet([{ ...sensor(1), when: "tags.site == 'ams'" }], EDGE);
    world.createDevice('gateway-1', { site: 'ber' });
    await world.takeEvents();

    expect(world.applied).toEqual([]);
    expect(world.statusOf('gateway-1')).toBe('inSync');
  });

  test('with a missing setting gets nothing, and its status names the setting', async () => {
    delete values.ACR_PASSWORD;
    world.createDevice('gateway-1');
    await world.takeEvents();

    expect(world.applied).toEqual([]);
    expect(world.statusOf('gateway-1')).toMatch(/^rejected: BERTH_EDGE_SETTING_MISSING: .*ACR_PASSWORD/);
  });

  test('gets its manifest again after it was deleted and created again', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.deleteDevice('gateway-1');
    world.createDevice('gateway-1');
    await world.takeEvents();

    expect(world.applied).toHaveLength(2);
  });
});

describe('an IoT Edge device that has its manifest', () => {
  beforeEach(async () => {
    world.createDevice('gateway-1', { site: 'ams' });
    await world.takeEvents();
    world.runManifest('gateway-1');
    await world.takeEvents();
  });

  test('gets nothing for reports, repeated tags and another resync', async () => {
    world.runManifest('gateway-1');
    world.setTags('gateway-1', { floor: 2 });
    await world.takeEvents();
    await world.deploy(world.fleet);
    await world.after(600);

    expect(world.applied).toHaveLength(1);
  });

  test('gets the new content of the fleet file', async () => {
    await world.deploy(fleet(2));

    expect(world.applied.map(({ content }) => imageOf(content))).toEqual([
      'contoso.azurecr.io/sensor:1',
      'contoso.azurecr.io/sensor:2',
    ]);
  });

  test('gets another manifest when its tags match another layer', async () => {
    const extra = {
      name: 'berlin',
      when: "tags.site == 'ber'",
      modules: { logger: { image: 'logger:1' } },
    };
    await world.deploy(fleet(1, extra));
    expect(world.applied).toHaveLength(1);

    world.setTags('gateway-1', { site: 'ber' });
    await world.takeEvents();

    expect(world.applied).toHaveLength(2);
    expect(JSON.stringify(world.applied[1]?.content)).toContain('logger:1');
  });

  test('is left as it is when no deployment matches it any more', async () => {
    await world.deploy(edgeFleet([{ ...sensor(2), when: "tags.site == 'ber'" }], EDGE));

    expect(world.applied).toHaveLength(1);
    expect(world.statusOf('gateway-1')).toBe('inSync');
  });

  test('gets a rotated credential', async () => {
    values.ACR_PASSWORD = 'Hunter3Hunter3';
    await world.deploy(world.fleet);

    expect(world.applied).toHaveLength(2);
    expect(world.snapshot('gateway-1').edge?.applied[0]?.why).toBe('the value of a setting has changed');
    expect(world.stored()).not.toContain('Hunter3');
  });

  test('gets back what another writer has changed, and is contested after three times', async () => {
    for (let times = 1; times <= 3; times += 1) {
      world.applyByOther('gateway-1', FOREIGN);
      await world.takeEvents();
      expect(world.applied).toHaveLength(1 + times);
    }
    world.applyByOther('gateway-1', FOREIGN);
    await world.takeEvents();

    expect(world.applied).toHaveLength(4);
    expect(world.statusOf('gateway-1')).toBe('contested: another writer has changed its manifest 4 times');
    await world.after(3_700);
    expect(world.applied).toHaveLength(5);
  });

  test('gets its routes back that another writer has changed', async () => {
    const agent = world.twin('gateway-1', '$edgeAgent').desired.values;
    world.applyByOther('gateway-1', agent, {
      schemaVersion: '1.1',
      routes: {},
      storeAndForwardConfiguration: { timeToLiveSecs: 7200 },
    });
    await world.takeEvents();

    expect(world.applied).toHaveLength(2);
    expect(world.twin('gateway-1', '$edgeHub').desired.values.routes).toEqual({ toCloud: UPSTREAM });
  });

  test('is rejected if it cannot read the manifest', async () => {
    await world.deploy(fleet(2));
    world.now = (world.now + 5_000) as never;
    world.report('gateway-1', '$edgeAgent', {
      lastDesiredStatus: { code: 400, description: 'wrong format' },
    });
    await world.takeEvents();

    expect(world.statusOf('gateway-1')).toBe('rejected: edgeAgent cannot read it (400: wrong format)');
  });

  test('is pending in a long pull and rejected after the deadline, without an event', async () => {
    await world.deploy(fleet(2));
    const { version } = world.twin('gateway-1', '$edgeAgent').desired;
    world.now = (world.now + 60_000) as never;
    world.report('gateway-1', '$edgeAgent', {
      lastDesiredVersion: version,
      lastDesiredStatus: { code: 500, description: 'pulling' },
    });
    await world.takeEvents();
    expect(world.statusOf('gateway-1')).toBe('pending: edgeAgent reports 500: pulling');

    await world.after(3_700);

    expect(world.statusOf('gateway-1')).toBe('rejected: edgeAgent reports 500: pulling');
    expect(world.applied).toHaveLength(2);
  });

  test('is not written while its hub is paused, and gets the manifest afterwards', async () => {
    const open = world.gate;
    world.gate = { ...open, closedFor: () => 'paused by ann: freeze' };
    await world.deploy(fleet(2));
    expect(world.applied).toHaveLength(1);
    expect(world.statusOf('gateway-1')).toBe('drifted: paused by ann: freeze');

    world.gate = open;
    await world.after(60);

    expect(world.applied).toHaveLength(2);
  });

  test('stays Berth’s after a resync of its hub, also while a new manifest waits', async () => {
    world.fault = { code: 'BERTH_HUB_THROTTLED' };
    await world.deploy(fleet(2));
    for (const moduleId of [undefined, '$edgeAgent', '$edgeHub']) {
      const mark = {
        since: NEVER,
        why: 'resync',
        priority: 'resync',
        isResync: true,
        now: world.now,
      } as const;
      await markForRead(world.store, { host: HOST, deviceId: 'gateway-1', moduleId }, mark);
    }
    world.fault = undefined;
    await world.after(60);

    expect(world.applied).toHaveLength(2);
    expect(world.snapshot('gateway-1').edge?.applied).toHaveLength(2);
  });

  test('is not applied if the hub is paused in any moment after it is decided', async () => {
    const { gate: open } = world;
    const closed = { ...open, closedFor: () => 'paused by ann: freeze' };
    /** How often the control row is looked at until the apply. At the look `from` and later, it has the pause. */
    const looksWithPause = async (from: number): Promise<number> => {
      let looks = 0;
      const gate = {
        get: () => {
          if (world.applied.length === 1) looks += 1;
          return looks >= from ? closed : open;
        },
        set: () => {},
        configurable: true,
      };
      Object.defineProperty(world, 'gate', gate);
      await world.deploy(fleet(2));
      return looks;
    };
    const before = world;
    const looks = await looksWithPause(Number.POSITIVE_INFINITY);
    expect([before.applied.length, looks > 3]).toEqual([2, true]);

    for (let from = 1; from <= looks; from += 1) {
      world = new EdgeWorld(fleet());
      world.settings = (name) => values[name];
      world.createDevice('gateway-1');
      await world.takeEvents();
      world.runManifest('gateway-1');
      await world.takeEvents();
      await looksWithPause(from);
      expect([from, world.applied.length]).toEqual([from, 1]);
    }
  });

  test('is not applied if the hub is paused in the last moment, while its intent is stored', async () => {
    const { gate: open } = world;
    const save = world.store.save.bind(world.store);
    world.store.save = async (record, known) => {
      if (known.kind === 'snapshot' && known.snapshot.edge?.intent !== undefined)
        world.gate = { ...open, closedFor: () => 'paused by ann: freeze' };
      return save(record, known);
    };
    await world.deploy(fleet(2));

    expect(world.applied).toHaveLength(1);
    expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
    expect(world.statusOf('gateway-1')).toBe('drifted: the control row has changed');

    world.store.save = save;
    world.gate = open;
    await world.after(1);
    expect(world.applied).toHaveLength(2);
  });

  test('waits for a permit, with the identity operations of its modules', async () => {
    const asked: number[] = [];
    let isFree = false;
    world.budget = {
      permit: async () => ({ kind: 'granted' }),
      permitApply: async (_, operations) => {
        asked.push(operations);
        if (isFree) return { kind: 'granted' };
        return { kind: 'noPermit', at: (world.now + 30_000) as never, why: 'used up', isQuota: false };
      },
    };
    await world.deploy(fleet(2));
    expect(world.applied).toHaveLength(1);
    expect(world.statusOf('gateway-1')).toBe('drifted: used up');

    isFree = true;
    await world.after(31);

    expect(world.applied).toHaveLength(2);
    expect(asked).toEqual([2, 2]);
  });
});

describe('a manifest that Berth did not apply', () => {
  beforeEach(async () => {
    world.createDevice('gateway-1');
    world.applyByOther('gateway-1', FOREIGN);
    await world.takeEvents();
  });

  test('is never replaced, and the status names what would go', async () => {
    await world.deploy(fleet(2));
    await world.after(7_200);

    expect(world.applied).toEqual([]);
    expect(world.statusOf('gateway-1')).toBe(
      'contested: it has a manifest that Berth did not apply; other would go. Run "berth edge adopt gateway-1"',
    );
  });

  test('that is what the file wants counts as applied, so that nothing is lost with the state tables', async () => {
    const other = new EdgeWorld(fleet());
    other.settings = world.settings;
    other.createDevice('gateway-2');
    await other.takeEvents();
    other.store.records.clear();
    other.setTags('gateway-2', { a: 1 });
    other.report('gateway-2', '$edgeAgent', { lastDesiredVersion: 0 });
    await other.takeEvents();
    await other.after(1);

    expect(other.applied).toHaveLength(1);
    expect(other.snapshot('gateway-2').edge?.applied[0]?.why).toBe('it was there already');
  });
});

describe('faults', () => {
  test('an apply whose answer is lost is recognised and not repeated', async () => {
    world.createDevice('gateway-1');
    world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
    await world.takeEvents();
    world.fault = undefined;
    await world.after(60);

    expect(world.applied).toHaveLength(1);
    expect(world.snapshot('gateway-1').edge).toMatchObject({ applied: [{ why: 'it has no manifest yet' }] });
    expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
  });

  test('an apply that never arrived is repeated', async () => {
    world.createDevice('gateway-1');
    world.fault = { code: 'BERTH_HUB_TIMEOUT' };
    await world.takeEvents();
    world.fault = undefined;
    await world.after(60);

    expect(world.applied).toHaveLength(1);
  });

  test.each(['BERTH_HUB_PRECONDITION_FAILED', 'BERTH_HUB_THROTTLED', 'BERTH_HUB_UNAVAILABLE'] as const)(
    'after %s the apply is tried again later',
    async (code) => {
      world.createDevice('gateway-1');
      world.fault = { code };
      await world.takeEvents();
      expect(world.snapshot('gateway-1').workItem?.tries).toBe(1);

      world.fault = undefined;
      await world.after(60);

      expect(world.applied).toHaveLength(1);
    },
  );

  test.each([
    ['$edgeAgent must be read for a resync', '$edgeAgent', true],
    ['$edgeAgent must be read after a gap', '$edgeAgent', false],
    ['$edgeHub must be read', '$edgeHub', false],
    ['the device twin must be read', undefined, true],
  ])('no second instance applies while one does, also if %s', async (_, moduleId, isResync) => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.duringApply = async () => {
      await world.markUnread('gateway-1', moduleId, isResync);
      await world.after(1);
      world.setTags('gateway-1', { floor: 3 });
      await world.takeEvents();
    };
    await world.deploy(fleet(2));
    await world.after(60);
    await world.after(60);

    expect(world.calls.filter((call) => call === 'apply')).toHaveLength(2);
    const { edge, workItem } = world.snapshot('gateway-1');
    expect(edge?.applied.map(({ why }) => why)).toEqual([
      'the fleet file has changed',
      'it has no manifest yet',
    ]);
    expect([edge?.intent, workItem?.why]).toEqual([undefined, expect.not.stringContaining('being applied')]);
  });

  test('an instance that ends during an apply leaves $edgeAgent to another one, also if it must be read', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.duringApply = async () => {
      await world.markUnread('gateway-1', '$edgeAgent', true);
      world.loseEvents();
      throw new Error('the instance has ended');
    };
    await world.deploy(fleet(2)).catch(() => {});
    for (let minutes = 0; minutes < 3; minutes += 1) await world.after(60);

    expect(world.applied).toHaveLength(2);
    expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
  });

  test('a manifest that the hub refuses is rejected and not sent again until it changes', async () => {
    world.createDevice('gateway-1');
    world.fault = { code: 'BERTH_HUB_REFUSED', hubCode: '400004' };
    await world.takeEvents();
    await world.after(3_600);
    expect(world.calls.filter((call) => call === 'apply')).toHaveLength(1);
    expect(world.statusOf('gateway-1')).toContain('rejected: BERTH_EDGE_MANIFEST_REFUSED');

    world.fault = undefined;
    await world.deploy(fleet(2));

    expect(world.applied).toHaveLength(1);
  });

  test('a manifest that is too large for the hub is rejected, although the status is 403', async () => {
    world.createDevice('gateway-1');
    world.fault = { code: 'BERTH_HUB_UNAUTHORIZED', hubCode: '403100' };
    await world.takeEvents();

    expect(world.statusOf('gateway-1')).toContain('rejected: BERTH_EDGE_MANIFEST_REFUSED');
  });

  test('a missing right names the data action and is tried again after five minutes', async () => {
    world.createDevice('gateway-1');
    world.fault = { code: 'BERTH_HUB_UNAUTHORIZED', hubCode: '401002' };
    await world.takeEvents();
    expect(world.statusOf('gateway-1')).toContain('applyToEdgeDevice/action');
    await world.after(200);
    expect(world.calls.filter((call) => call === 'apply')).toHaveLength(1);

    world.fault = undefined;
    await world.after(101);

    expect(world.applied).toHaveLength(1);
  });

  test('an apply whose answer and whose events are lost is not repeated', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
    await world.deploy(fleet(1, { name: 'more', routes: { second: 'FROM /messages/* INTO $upstream' } }));
    world.loseEvents();
    world.fault = undefined;
    await world.after(700);
    await world.after(700);

    expect(world.applied).toHaveLength(2);
    expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
  });

  test('an apply without a result is found by the next resync, also if its work item is gone', async () => {
    world.createDevice('gateway-1');
    await world.takeEvents();
    const { edge } = world.snapshot('gateway-1');
    const [last] = edge?.applied ?? [];
    if (last === undefined) throw new Error('no apply');
    const id = { host: HOST, deviceId: 'gateway-1', moduleId: '$edgeAgent' };
    const record = await world.store.load(id);
    if (record.known.kind !== 'snapshot') throw new Error('no snapshot');
    const interrupted = { applied: [], putBack: [], intent: { ...last, content: 'another' } };
    const snapshot = { ...record.known.snapshot, edge: interrupted, workItem: undefined };
    await world.store.save(record, { kind: 'snapshot', snapshot });
    await world.deploy(world.fleet);
    await world.after(30);

    expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
  });

  test('an instance that ends after it has stored the intent leaves the device to another one', async () => {
    world.createDevice('gateway-1');
    const { store } = world;
    let isDown = false;
    const save = store.save.bind(store);
    store.save = async (record, known) => {
      if (isDown) throw new Error('the instance has ended');
      const saved = await save(record, known);
      if (known.kind === 'snapshot' && known.snapshot.edge?.intent !== undefined) isDown = true;
      return saved;
    };
    await world.takeEvents().catch(() => {});
    expect(world.applied).toHaveLength(1);
    isDown = false;
    store.save = save;
    await world.after(60);

    expect(world.applied).toHaveLength(1);
    expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
  });
});

describe('a module that a deployment and a policy share', () => {
  const shared = (version: number) =>
    edgeFleet([sensor(version, { desired: { SendData: true } })], EDGE, {
      policies: [
        { name: 'interval', target: 'module:sensor', desired: { SendInterval: 10 }, confirm: false },
      ],
    });
  const desired = () => world.twin('gateway-1', 'sensor').desired.values;
  const patches = () => world.calls.filter((call) => call === 'patch sensor').length;

  test('keeps the values of the policy through every apply, and the policy writes once', async () => {
    world = new EdgeWorld(shared(1));
    world.settings = (name) => values[name];
    world.createDevice('gateway-1');
    await world.takeEvents();
    expect(desired()).toEqual({ SendData: true, SendInterval: 10 });

    for (let version = 2; version <= 6; version += 1) await world.deploy(shared(version));

    expect(world.applied).toHaveLength(6);
    expect(desired()).toEqual({ SendData: true, SendInterval: 10 });
    expect(patches()).toBe(1);
    expect(world.snapshot('gateway-1', 'sensor').lastReconcile.status).toBe('inSync');
  });
});

describe('the desired properties that a manifest sets in a module', () => {
  const withDesired = () =>
    edgeFleet([sensor(1, { desired: { SendInterval: 5, limits: { high: 9 } } })], EDGE);
  const desired = () => world.twin('gateway-1', 'sensor').desired.values;
  const edit = (patch: JsonObject) =>
    patchTwinOf(
      world.local,
      { deviceId: 'gateway-1', moduleId: 'sensor' },
      { properties: { desired: patch } },
    );
  beforeEach(async () => {
    world = new EdgeWorld(withDesired());
    world.settings = (name) => values[name];
    world.createDevice('gateway-1');
    await world.takeEvents();
    world.runManifest('gateway-1');
    await world.takeEvents();
    world.now = plus(world.now, 60_000);
  });

  test.each<[string, JsonObject]>([
    ['changed', { SendInterval: 7 }],
    ['removed', { limits: null }],
    ['changed in an object', { limits: { high: 1 } }],
  ])('are put back with one apply if another writer has %s one', async (_, patch) => {
    edit(patch);
    await world.takeEvents();
    await world.deploy(world.fleet);
    await world.after(60);

    expect(desired()).toEqual({ SendInterval: 5, limits: { high: 9 } });
    expect(world.applied).toHaveLength(2);
    expect(world.snapshot('gateway-1').edge?.applied[0]?.why).toBe(
      'another writer has changed the desired properties of sensor',
    );
  });

  test('leave the other properties to other writers', async () => {
    edit({ note: 'by hand', limits: { low: 1 } });
    await world.takeEvents();
    await world.deploy(world.fleet);

    expect(world.applied).toHaveLength(1);
    expect(desired()).toEqual({ SendInterval: 5, limits: { high: 9, low: 1 }, note: 'by hand' });
  });

  test('are not applied again because the events of the module are late', async () => {
    world.late = 'sensor';
    await world.deploy(edgeFleet([sensor(2, { desired: { SendInterval: 6, limits: { high: 9 } } })], EDGE));
    world.runManifest('gateway-1');
    await world.takeEvents();
    await world.deploy(world.fleet);
    world.late = undefined;
    world.report('gateway-1', 'sensor', { SendInterval: 6 });
    await world.takeEvents();
    await world.after(60);

    expect(world.applied).toHaveLength(2);
    expect(desired()).toEqual({ SendInterval: 6, limits: { high: 9 } });
  });

  test('are contested after three times', async () => {
    for (let times = 1; times <= 4; times += 1) {
      world.now = plus(world.now, 1_000);
      edit({ SendInterval: 10 + times });
      await world.takeEvents();
    }

    expect(world.applied).toHaveLength(4);
    expect(world.statusOf('gateway-1')).toBe(
      'contested: another writer has changed the desired properties of sensor 4 times',
    );
  });
});
