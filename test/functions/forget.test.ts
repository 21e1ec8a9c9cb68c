import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Cli } from '../../src/cli/shell/cli.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { DeadLetter } from '../../src/store/dead-letters/dead-letter-store.ts';
import { unpackDocument } from '../../src/store/tables/document.ts';
import type { Row } from '../../src/store/tables/tables.ts';
import { requestName } from '../../src/sync/resync/audit-progress.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { berth, listen } from '../cli/terminals.ts';
import { disabledDevice, OLD } from '../silent-devices/disabled-devices.ts';
import { letterOf } from '../store/letters.ts';
import { FunctionApp } from '../support/function-app.ts';
import { call } from '../support/http-call.ts';
import { snapshotOf } from '../twin/twins.ts';

/* `berth forget` against the real tables, functions and hubs. */

const MINUTE_MS = 60_000;
/** Its id begins like that of the device to forget, and nothing of it may be deleted. */
const OTHER = 'pump-77';

let app: FunctionApp;
let instance: Instance;
const waits: number[] = [];
beforeEach(async () => {
  app = await FunctionApp.open({
    policies: [
      { name: 'base', desired: { interval: 5 } },
      { name: 'log', target: 'module:collector', desired: { interval: 7 } },
    ],
    allocation: {
      rules: [{ name: 'gateway', when: 'has(payload.gateway)', parent: '=payload.gateway' }],
    },
  });
  instance = app.instance();
  await instance.fleet.synchronise();
  waits.length = 0;
});
afterEach(() => app.close());

const forget = async (...flags: readonly string[]) => {
  const { cli, out, err } = listen(app.env, app.clock.now);
  const waiting: Cli = {
    ...cli,
    wait: async (ms) => {
      waits.push(ms);
      app.pass(ms);
      // As the timer of each instance does every 20 s.
      await instance.keptOut.refresh();
    },
  };
  const exitCode = await berth(waiting, 'forget', ...flags);
  return { exitCode, out: out(), err: err() };
};

const register = (registrationId: string, deviceId?: string, payload?: object) =>
  call(allocateDevice(instance), {
    body: {
      ...CAPTURED,
      ...(deviceId === undefined
        ? { enrollmentGroup: { ...CAPTURED.enrollmentGroup, iotHubs: [app.host] } }
        : {
            enrollmentGroup: undefined,
            individualEnrollment: {
              registrationId,
              deviceId,
              attestation: { type: 'symmetricKey' },
              capabilities: { iotEdge: false },
              reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
            },
          }),
      deviceRuntimeContext: { registrationId, symmetricKey: {}, ...(payload && { payload }) },
      linkedHubs: [app.host],
    },
  });

/** Rows of every kind of `pump-7` and of another device. */
async function fill(): Promise<void> {
  for (const deviceId of ['pump-7', OTHER]) {
    app.create(deviceId);
    await register(deviceId);
    await register(`serial-of-${deviceId}-x`, deviceId);
  }
  await app.deliver(instance);
  // The first run plans every twin. The modules, which the hub does not have, come after it.
  await app.resync(instance);
  for (const deviceId of ['pump-7', OTHER]) await storeModule(deviceId);
  await instance.receipts.flush();
  const named = (deviceId: string) => ({ 'iothub-connection-device-id': deviceId });
  // resyncFleet deletes old ones.
  const enqueuedAt = new Date(app.now).toISOString();
  const letters: readonly Partial<DeadLetter>[] = [
    { systemProperties: named('pump-7') },
    { systemProperties: {}, properties: { device: 'pump-7' } },
    { systemProperties: {}, body: Buffer.from('{"id":"pump-7"}') },
    { systemProperties: named(OTHER) },
    { systemProperties: {}, body: Buffer.from(`{"id":"${OTHER}"}`) },
  ];
  await instance.stores.deadLetters.keepAll(
    letters.map((each, sequenceNumber) => letterOf({ ...each, enqueuedAt, sequenceNumber })),
  );
  await app.resync(instance);
}

/** Stores a module twin that needs a person, as `syncTwins` does. */
async function storeModule(deviceId: string, host = app.host): Promise<void> {
  const id = { host, deviceId, moduleId: 'collector' };
  const { lastReconcile } = snapshotOf();
  const snapshot = snapshotOf({
    id,
    lastReconcile: { ...lastReconcile, status: 'rejected', why: `${deviceId} answered 400` },
    workItem: { priority: 'drift', at: plus(app.now, 600_000), why: 'answered', tries: 0 },
  });
  await instance.stores.twins.save(await instance.stores.twins.load(id), { kind: 'snapshot', snapshot });
}

/** Every stored row that holds a device id, packed documents included. */
async function rowsAbout(deviceId: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [name, table] of Object.entries(app.tables)) {
    for await (const page of table.scan({})) {
      for (const row of page) {
        if (new RegExp(`(^|[^\\w-])${deviceId}($|[^\\w-])`).test(textOf(row)))
          found.push(`${name} ${row.rowKey}`);
      }
    }
  }
  return found;
}

function textOf({ partitionKey, rowKey, properties }: Row): string {
  const bytes = Object.values(properties).filter((value) => value instanceof Uint8Array);
  const plain = Object.entries(properties).filter(([, value]) => !(value instanceof Uint8Array));
  const document = properties.doc0 === undefined ? null : unpackDocument(properties);
  const texts = bytes.map((each) => Buffer.from(each as Uint8Array).toString('latin1'));
  return [partitionKey, rowKey, JSON.stringify([plain, document]), ...texts].join('\n');
}

const twinsCounted = async () => (await instance.stores.twinCounts.of(app.host)).statuses;
const remove = (deviceId: string) =>
  app.service('DELETE', `/devices/${deviceId}`, {}).then(() => void app.take());

describe('berth forget', () => {
  test('is refused while a hub has the identity, enabled or disabled, and deletes nothing', async () => {
    await fill();
    const before = await rowsAbout('pump-7');

    const refusal = {
      code: 'BERTH_DEVICE_EXISTS',
      message: expect.stringContaining(`${app.host} has the identity of pump-7`),
    };
    await expect(forget('pump-7', '--yes')).rejects.toMatchObject(refusal);
    await app.setStatus('pump-7', 'disabled');
    await expect(forget('pump-7', '--yes')).rejects.toMatchObject(refusal);
    await expect(forget('pump-7')).rejects.toMatchObject(refusal);

    expect(await rowsAbout('pump-7')).toEqual(before);
  });

  test('is refused if a hub does not say whether it has the identity', async () => {
    await fill();
    await remove('pump-7');
    app.front = () => Promise.resolve({ status: 401, headers: {}, body: {} });

    await expect(forget('pump-7', '--yes')).rejects.toMatchObject({
      code: 'BERTH_HUB_UNAUTHORIZED',
      message: expect.stringContaining('Nothing was deleted'),
    });
  });

  test('shows first what it would delete, and deletes it only with --yes', async () => {
    await fill();
    await remove('pump-7');
    const before = await rowsAbout('pump-7');

    const { out, err } = await forget('pump-7');

    expect(out).toMatch(
      new RegExp(
        `^${app.host}: 1 device twin with its history, 1 module twin with its history, [12] work items?, 1 entry of the attention list\n2 receipts\n3 dead letters\n$`,
      ),
    );
    expect(err).toContain('Nothing was deleted: add --yes to delete this.');
    expect(err).toContain('Berth cannot delete:');
    expect(await rowsAbout('pump-7')).toEqual(before);
  });

  test('deletes twins, work items, receipts and dead letters of the device, and of no other one', async () => {
    await fill();
    const others = await rowsAbout(OTHER);
    const counted = await twinsCounted();
    await remove('pump-7');
    expect((await rowsAbout('pump-7')).length).toBeGreaterThan(7);

    const { exitCode, err } = await forget('pump-7', '--yes');

    expect(exitCode).toBe(0);
    expect(await rowsAbout('pump-7')).toEqual([]);
    expect(await rowsAbout(OTHER)).toEqual(others);
    const sum = (counts: object) =>
      Object.values(counts).reduce((total: number, each: number) => total + each, 0);
    expect(sum(await twinsCounted())).toBe(sum(counted) - 2);
    expect(err).toContain('log lines that name the device');
    expect((await forget('pump-7', '--yes')).err).toContain('Nothing was stored of pump-7.');
  });

  test('deletes the stub of a deleted twin, and rows of a hub that is no longer in the fleet file', async () => {
    app.create('pump-7');
    await app.deliver(instance);
    await app.service('DELETE', '/devices/pump-7', {});
    await app.deliver(instance);
    await storeModule('pump-7', hostName('gone.azure-devices.net'));

    const { out } = await forget('pump-7', '--yes');

    expect(out).toBe(
      [
        'gone.azure-devices.net: 1 module twin with its history, 1 work item, 1 entry of the attention list',
        `${app.host}: 2 stubs of deleted twins`,
        '',
      ].join('\n'),
    );
    expect(await rowsAbout('pump-7')).toEqual([]);
  });

  test('deletes the record of a drain that disabled the device, and no other one', async () => {
    const { disabledDevices } = instance.stores;
    await disabledDevices.begin(disabledDevice({ deviceId: 'pump-7' }));
    await disabledDevices.begin(disabledDevice({ deviceId: OTHER }));

    const planned = await forget('pump-7');
    const { out } = await forget('pump-7', '--yes');

    expect(planned.err).not.toContain('text that people wrote');
    for (const text of [planned.out, out])
      expect(text).toBe(`${OLD}: a record of "berth hub drain --disable-silent"\n`);
    expect(await rowsAbout('pump-7')).toEqual([]);
    expect((await disabledDevices.list()).devices).toMatchObject([{ deviceId: OTHER }]);
  });

  test('names what people wrote about the device, because it stays', async () => {
    app.writeFleet([{ name: 'base', when: "tags.serial != 'pump-7'", desired: { interval: 5 } }]);
    await app.instance().fleet.synchronise();

    expect((await forget('pump-7')).err).toContain(
      'text that people wrote and that names the device: 1 fleet file in the state tables',
    );
    expect((await forget('pump')).err).not.toContain('text that people wrote');
  });
});

describe('berth forget --keep-out', () => {
  test('deletes what is stored of a device that still exists, and keeps a hash of its id only', async () => {
    await fill();

    const { err } = await forget('pump-7', '--keep-out', '--yes');

    expect(waits).toEqual([MINUTE_MS]);
    expect(err).toContain('Berth keeps a hash of its id');
    expect(await rowsAbout('pump-7')).toEqual([]);
    expect(await instance.stores.keptOut.has('pump-7')).toBe(true);
    expect(app.hub().twin('pump-7')).toBeDefined();
  });

  test('is refused while a drain has the device disabled, because its record is needed to enable it', async () => {
    const { disabledDevices } = instance.stores;
    const device = disabledDevice({ deviceId: 'pump-7' });
    await disabledDevices.begin(device);

    await expect(forget('pump-7', '--keep-out', '--yes')).rejects.toMatchObject({
      code: 'BERTH_DEVICE_DISABLED',
      message: expect.stringContaining(`berth hub drain ${OLD} --enable-again`),
    });
    expect((await disabledDevices.list()).devices).toEqual([device]);
    expect(await instance.stores.keptOut.has('pump-7')).toBe(false);
    await disabledDevices.change(device, { phase: 'cameBack' });
    expect((await forget('pump-7', '--keep-out', '--yes')).exitCode).toBe(0);
    expect((await disabledDevices.list()).devices).toEqual([]);
  });

  test('changes nothing without --yes', async () => {
    await fill();
    const before = await rowsAbout('pump-7');

    await forget('pump-7', '--keep-out');

    expect(await rowsAbout('pump-7')).toEqual(before);
    expect(await instance.stores.keptOut.has('pump-7')).toBe(false);
  });

  test('lets no event, unreadable event or audit store the device again, and writes nothing to its twin', async () => {
    await fill();
    await forget('pump-7', '--keep-out', '--yes');

    await app.service('PATCH', '/twins/pump-7', { properties: { desired: { interval: 9 } } });
    const [event] = app.events;
    if (event !== undefined) app.events.push({ ...event, body: Buffer.from('not json') });
    await app.deliver(instance);
    await instance.stores.progress.write(requestName(app.host), { at: app.now, author: 'me', reason: 'x' });
    for (let run = 0; run < 3; run += 1) {
      app.pass(MINUTE_MS);
      await app.resync(instance);
    }

    expect(event).toBeDefined();
    expect(await rowsAbout('pump-7')).toEqual([]);
    expect(app.interval('pump-7')).toBe(9);
    expect(await app.snapshot(OTHER)).toBeDefined();
  });

  test('lets the device register, without a receipt and without its id in the log', async () => {
    await forget('pump-7', '--keep-out', '--yes');

    const own = await register('PUMP-7');
    const renamed = await register('serial-1', 'pump-7');
    await instance.receipts.flush();

    for (const { status, body, lines } of [own, renamed]) {
      expect(status).toBe(200);
      expect(body).toMatchObject({ iotHubHostName: app.host });
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
        expect.objectContaining({ event: 'allocated', keptOut: true, result: expect.anything() }),
      ]);
      expect(lines.join('\n').toLowerCase()).not.toMatch(/pump-7|serial-1/);
    }
    expect(await instance.stores.receipts.list('serial-1')).toEqual([]);
    expect(await rowsAbout('(?:pump|PUMP)-7')).toEqual([]);
  });

  test.each(['pump-7', 'PUMP-7'])(
    'lets a device that names %s as its parent register, and stores and logs nothing about that parent',
    async (gateway) => {
      await forget('pump-7', '--keep-out', '--yes');

      const child = await register('child-1', undefined, { gateway });
      await instance.receipts.flush();

      expect(JSON.parse(child.lines[0] ?? '')).toEqual({
        event: 'notAllocated',
        keptOut: true,
        at: expect.any(String),
        result: { kind: 'refused', code: 'BERTH_PARENT_UNKNOWN' },
        revision: expect.any(String),
      });
      expect(await instance.stores.receipts.list('child-1')).toEqual([]);
    },
  );

  test('says that records of other devices can still name the device as their parent', async () => {
    const { err } = await forget('pump-7', '--keep-out', '--yes');

    expect(err).toMatch(/receipts and snapshots of other devices that name the device as their parent/);
  });

  test('ends with --store-again: the next event stores the device', async () => {
    app.create('pump-7');
    app.take();
    await forget('pump-7', '--keep-out', '--yes');

    const { cli } = listen(app.env, app.clock.now);
    await expect(berth(cli, 'describe', 'device', 'pump-7')).rejects.toMatchObject({
      code: 'BERTH_DEVICE_UNKNOWN',
      message: expect.stringContaining('"pump-7" is kept out'),
    });
    expect((await forget('pump-7', '--store-again')).err).toContain('add --yes to store it again');
    await forget('pump-7', '--store-again', '--yes');
    app.pass(MINUTE_MS);
    await app.service('PATCH', '/twins/pump-7', { properties: { desired: { interval: 9 } } });
    await app.deliver(instance);

    expect((await app.known('pump-7')).kind).toBe('snapshot');
    expect((await forget('pump-7', '--store-again')).err).toContain('pump-7 is not kept out.');
    await expect(forget('pump-7', '--store-again', '--keep-out')).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
    });
  });
});
