import { afterEach, describe, expect, test } from '@jest/globals';
import { realTime } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { DRAINED, type DrainedHub, type Individual, OTHER, openDrainedHub } from './drained-hub.ts';
import { berth } from './terminals.ts';

/* `berth hub drain --disable-silent` against real hubs, a real DPS with Berth's webhook, and devices with Microsoft's SDK. */

const DISABLE = ['hub', 'drain', DRAINED, '--disable-silent', '--reason', 'moving out'];
const WAIT_MS = 60_000;

let hub: DrainedHub;
afterEach(() => hub.close());

async function open(individuals: readonly Individual[] = []): Promise<void> {
  hub = await openDrainedHub(individuals);
  await hub.fill();
}

/** Runs the command. @param wait in place of its timer; default: none of its waits may be needed. */
async function run(argv: readonly string[], wait: (ms: number) => Promise<void> = () => realTime(20)) {
  const { cli, out, err } = hub.operator(wait);
  const exitCode = await berth(cli, ...argv);
  return { exitCode, out: out(), err: err() };
}

/** Lets a wait end at once when a condition holds, as if its time had passed. */
const passWhen = (isSo: () => Promise<boolean>) => async (ms: number) => {
  if (await isSo()) hub.pass(ms);
  await realTime(20);
};

const kill = () => Promise.reject(new Error('killed'));
/** A command that was killed after it had disabled the device `stayer`. */
async function disableAndKill(): Promise<void> {
  await open();
  await hub.startDevice('stayer', 'stays');
  await hub.drain();
  await expect(run([...DISABLE, '--yes'], kill)).rejects.toThrow('killed');
}

const stored = async () => (await hub.stores.disabledDevices.list(DRAINED)).devices;
const hasMoved = async (deviceId: string) => (await hub.identity(deviceId)) === undefined;
const isDisabled = async (deviceId: string) => (await hub.identity(deviceId))?.status === 'disabled';

describe('berth hub drain --disable-silent', () => {
  test('moves a device whose firmware registers again, and enables one again that does not', async () => {
    await open();
    await hub.startDevice('mover', 'registers');
    await hub.startDevice('stayer', 'stays');
    await hub.drain();
    // The wait of the device that stays is over as soon as the other one has moved.
    const wait = passWhen(async () => (await hasMoved('mover')) && (await isDisabled('stayer')));

    const { exitCode, err } = await run([...DISABLE, '--wait', '1m', '--yes'], wait);

    expect(exitCode).toBe(0);
    expect(err).toContain('Wave 1: 2 devices, 1 moved, 1 came back without moving.');
    expect(await hub.identity('mover', OTHER)).toMatchObject({ status: 'enabled' });
    expect(await hub.identity('mover')).toBeUndefined();
    expect(await hub.identity('stayer')).toMatchObject({
      status: 'enabled',
      statusReason: null,
      connectionState: 'Connected',
    });
    expect(await stored()).toMatchObject([
      { deviceId: 'stayer', phase: 'cameBack', reason: 'moving out', author: expect.any(String) },
    ]);

    const again = await run([...DISABLE, '--json']);
    expect(JSON.parse(again.out)).toMatchObject({
      disable: [],
      leave: [{ deviceId: 'stayer', why: 'triedBefore' }],
      recorded: [{ deviceId: 'stayer', phase: 'cameBack', reason: 'moving out' }],
    });
  });

  test('shows a plan first, and does nothing without --yes', async () => {
    await open([
      { registrationId: 'serial-9', deviceId: 'pump-9' },
      {
        registrationId: 'fixed',
        reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false },
      },
      { registrationId: 'blocked' },
    ]);
    for (const id of ['serial-9', 'fixed', 'blocked', 'in-the-group']) await hub.startDevice(id, 'stays');
    hub.create('by-hand');
    hub.create('berth-heartbeat');
    await hub.service('PUT', '/devices/blocked', {
      deviceId: 'blocked',
      status: 'disabled',
      statusReason: 'stolen',
    });
    await hub.drain();

    const { exitCode, out, err } = await run([...DISABLE, '--json']);

    expect(exitCode).toBe(0);
    const { disable, leave } = JSON.parse(out);
    expect(disable).toEqual([
      { deviceId: 'in-the-group', registrationId: 'in-the-group' },
      { deviceId: 'pump-9', registrationId: 'serial-9' },
    ]);
    const why = Object.fromEntries(
      leave.map((each: { deviceId: string; why: string }) => [each.deviceId, each.why]),
    );
    expect(why).toEqual({ 'by-hand': 'noRecord', fixed: 'neverReprovisions', blocked: 'disabled' });
    expect(err).toContain('Nothing was done: add --yes');
    expect(await hub.identity('pump-9')).toMatchObject({ status: 'enabled' });
    expect(await hub.identity('blocked')).toMatchObject({ status: 'disabled', statusReason: 'stolen' });
    expect(await stored()).toEqual([]);

    const plain = await run(DISABLE);
    expect(plain.out).toContain(`2 devices of ${DRAINED} to disable now: in-the-group, pump-9.`);
    expect(plain.out).toContain('DPS has no registration record of it, so it could never come back');
  });

  test('gives a device that was asked to move the time of silentAfter', async () => {
    hub = await openDrainedHub([], {
      moves: { ask: { property: 'berth.leaveHub', silentAfter: '20m' } },
    });
    await hub.fill();
    for (const deviceId of ['asked-late', 'asked-early']) await hub.startDevice(deviceId, 'stays');
    await hub.drain();
    await hub.noteRequest('asked-early', hub.now());
    hub.pass(10 * 60_000);
    await hub.noteRequest('asked-late', hub.now());
    const plan = async () => JSON.parse((await run([...DISABLE, '--json'])).out);

    expect(await plan()).toMatchObject({
      disable: [],
      leave: [
        { deviceId: 'asked-early', why: 'asked' },
        { deviceId: 'asked-late', why: 'asked' },
      ],
    });
    hub.pass(11 * 60_000);

    expect(await plan()).toMatchObject({
      disable: [{ deviceId: 'asked-early' }],
      leave: [{ deviceId: 'asked-late', why: 'asked' }],
    });
  });

  test('moves a device whose registration id differs from its device id', async () => {
    await open([{ registrationId: 'serial-9', deviceId: 'pump-9' }]);
    await hub.startDevice('serial-9', 'registers');
    await hub.drain();

    const { exitCode, out } = await run([...DISABLE, '--json', '--yes']);

    expect(exitCode).toBe(0);
    expect(JSON.parse(out).waves).toEqual([{ number: 1, results: { 'pump-9': 'moved' } }]);
    expect(await hub.identity('pump-9', OTHER)).toMatchObject({ status: 'enabled' });
    expect(await stored()).toEqual([]);
  });

  test('stops after a wave in which too many are lost, and leaves the other devices alone', async () => {
    await open();
    await hub.startDevice('a', 'stays');
    await hub.startDevice('b', 'stays');
    await hub.drain();
    // The device is gone for good when it loses its connection.
    const wait = async (ms: number) => {
      await hub.stopDevices();
      hub.pass(ms);
    };

    const running = run([...DISABLE, '--wave', '1', '--wait', '1m', '--yes'], wait);

    await expect(running).rejects.toMatchObject({
      code: 'BERTH_DRAIN_STOPPED',
      details: [{ path: 'a', message: expect.stringContaining('not connected since') }],
    });
    expect((await stored()).map(({ deviceId, phase }) => [deviceId, phase])).toEqual([['a', 'lost']]);
    expect(await hub.identity('a')).toMatchObject({ status: 'enabled', statusReason: null });
    expect(await hub.identity('b')).toMatchObject({ status: 'enabled' });
  });

  test('begins no further wave when the drain has ended meanwhile', async () => {
    await open();
    await hub.startDevice('a', 'stays');
    await hub.startDevice('b', 'stays');
    await hub.drain();
    const wait = async (ms: number) => {
      await hub.set(DRAINED, 'active');
      if (await isDisabled('a')) hub.pass(ms);
      await realTime(20);
    };

    const running = run([...DISABLE, '--wave', '1', '--wait', '1m', '--yes'], wait);

    await expect(running).rejects.toMatchObject({ code: 'BERTH_HUB_NOT_DRAINING' });
    expect((await stored()).map(({ deviceId, phase }) => [deviceId, phase])).toEqual([['a', 'cameBack']]);
    expect(await hub.identity('a')).toMatchObject({ status: 'enabled' });
  });

  test('enables again what is out when the operator ends it', async () => {
    await open();
    await hub.startDevice('stayer', 'stays');
    await hub.drain();
    const ending = new AbortController();
    const { cli, err } = hub.operator(async () => ending.abort());

    const exitCode = await berth({ ...cli, ending: ending.signal }, ...DISABLE, '--yes');

    expect(exitCode).toBe(130);
    expect(err()).toContain('Run the same command again to continue.');
    expect(await hub.identity('stayer')).toMatchObject({ status: 'enabled', statusReason: null });
    expect(await stored()).toMatchObject([{ phase: 'enabled' }]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('enables again what is out at %s, and ends with %i', async (signal, code) => {
    await open();
    await hub.startDevice('stayer', 'stays');
    await hub.drain();
    const { cli } = hub.operator(async () => void process.emit(signal));

    expect(await berth(cli, ...DISABLE, '--yes')).toBe(code);

    expect(await hub.identity('stayer')).toMatchObject({ status: 'enabled' });
    expect(process.listenerCount(signal)).toBe(0);
  });

  test('leaves a record from which --enable-again enables a device after the command was killed', async () => {
    await disableAndKill();
    expect(await hub.identity('stayer')).toMatchObject({
      status: 'disabled',
      statusReason: expect.stringMatching(/^disabled by berth hub drain --disable-silent, run /),
    });
    await expect(
      berth(hub.operator(kill).cli, 'forget', 'stayer', '--keep-out', '--yes'),
    ).rejects.toMatchObject({
      code: 'BERTH_DEVICE_DISABLED',
    });

    const listed = await run(['hub', 'drain', DRAINED]);
    expect(listed.out).toContain(
      `1 device disabled by --disable-silent. If no such command runs now, enable them:`,
    );

    const { exitCode, out } = await run(['hub', 'drain', DRAINED, '--enable-again', '--json']);

    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toEqual({ host: DRAINED, results: {}, enabled: ['stayer'] });
    await eventually(async () => (await hub.identity('stayer'))?.connectionState === 'Connected');
  });

  test('leaves a record from which --enable-again enables a device after the hub has left the fleet file', async () => {
    await disableAndKill();
    await hub.leaveFleet();

    await expect(run([...DISABLE, '--yes'])).rejects.toMatchObject({
      code: 'BERTH_HUB_NOT_DRAINING',
      message: expect.stringContaining(`berth hub drain ${DRAINED} --enable-again`),
    });
    await expect(run(['hub', 'drain', DRAINED])).rejects.toMatchObject({
      code: 'BERTH_HUB_NOT_DRAINING',
      message: expect.stringContaining(`1 device disabled by --disable-silent`),
    });
    const { exitCode, out } = await run(['hub', 'drain', DRAINED, '--enable-again', '--json']);

    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toEqual({ host: DRAINED, results: {}, enabled: ['stayer'] });
    await eventually(async () => (await hub.identity('stayer'))?.connectionState === 'Connected');
  });

  test('never enables a device that another writer has changed after it was disabled', async () => {
    await disableAndKill();
    const stolen = { deviceId: 'stayer', status: 'disabled', statusReason: 'stolen' };
    await hub.service('PUT', '/devices/stayer', stolen);

    const { out } = await run(['hub', 'drain', DRAINED, '--enable-again', '--json']);

    expect(JSON.parse(out)).toEqual({ host: DRAINED, results: { stayer: 'changed' }, enabled: [] });
    expect(await hub.identity('stayer')).toMatchObject(stolen);
  });

  test('is refused if the hub does not drain, with the command that starts a drain', async () => {
    await open();

    await expect(run([...DISABLE, '--yes'])).rejects.toMatchObject({
      code: 'BERTH_HUB_NOT_DRAINING',
      message: expect.stringContaining(`berth hub set ${DRAINED} --state draining`),
    });
  });

  test('is refused if no other hub is active', async () => {
    await open();
    await hub.drain();
    await hub.set(OTHER, 'cordoned');

    await expect(run([...DISABLE, '--yes'])).rejects.toMatchObject({ code: 'BERTH_DRAIN_NOWHERE' });
  });

  test('is refused while another command works on the same hub', async () => {
    await open();
    await hub.startDevice('stayer', 'stays');
    await hub.drain();
    await hub.stores.disabledDevices.lease(DRAINED, 'another command').take(hub.now(), WAIT_MS);

    await expect(run([...DISABLE, '--yes'])).rejects.toMatchObject({ code: 'BERTH_DRAIN_RUNNING' });
    expect(await hub.identity('stayer')).toMatchObject({ status: 'enabled' });
  });

  test.each<readonly [string, readonly string[], RegExp]>([
    [
      'without an order',
      ['hub', 'drain', DRAINED, '--yes', '--wave', '3'],
      /Only --disable-silent takes --wave and --yes/,
    ],
    ['with a list', [...DISABLE, '--list', 'silent'], /--disable-silent cannot be combined with --list/],
    ['without a reason', ['hub', 'drain', DRAINED, '--disable-silent'], /needs --reason TEXT/],
    ['with a short wait', [...DISABLE, '--wait', '1s'], /--wait is "1s": write a duration from 10s to 24h/],
    ['with an impossible share', [...DISABLE, '--most-lost', '101%'], /--most-lost is "101%"/],
    ['with two orders', [...DISABLE, '--enable-again'], /cannot be combined with --disable-silent/],
  ])('is refused %s', async (_, argv, message) => {
    await open();

    await expect(run(argv)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(message),
    });
  });
});
