import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { resyncCost } from '../../src/cli/hubs/resync.ts';
import { validFleet } from '../../src/cli/shell/files.ts';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { type Control, controlSchema, SELF } from '../../src/control/control.ts';
import { elapsedOf } from '../../src/control/elapsed.ts';
import { withPackage } from '../../src/control/packages.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { auditName, requestName } from '../../src/sync/resync/audit-progress.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import type { PolicyStatus } from '../../src/twin/snapshot/snapshot.ts';
import { fleetOf } from '../allocation/requests.ts';
import { countAll } from '../support/count-all.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { snapshotOf } from '../twin/twins.ts';
import { berth, type Flags, flags, listen, NOW } from './terminals.ts';

const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const HOUR = 3_600_000;
const BUILD = '2026-11-25T00:00:00Z';
const { file } = fleetOf({
  hubs: { eus: { stamp: 'us' } },
  twins: {
    policies: [
      { name: 'interval', desired: { interval: 5 } },
      { name: 'level', mode: 'observe', desired: { level: 'info' } },
    ],
    rollout: { over: '10h', pauseWhen: 0.05 },
  },
});
const FILE = JSON.stringify({ ...file, $schema: undefined });
const FLEET = validFleet(parseFleet(FILE), 'the file');
const INTERVAL = FLEET.twins.policies[0] as Policy;

let folder: string;
let fleet: string;
let env: Readonly<Record<string, string>>;
let state: State;
beforeAll(async () => {
  folder = temporaryFolder('pause');
  fleet = join(folder, 'fleet.json');
  writeFileSync(fleet, FILE);
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
  await state.revisions.keep(FLEET.revision, FILE, BUILD);
}, 60_000);
beforeEach(() => begin());

/** The control row after a package has started, with these parts replaced. */
const begin = (parts: Partial<Control> = {}, at = plus(NOW, -2 * HOUR)) =>
  state.control.update(() => ({
    ...withPackage(controlSchema.parse({}), BUILD, FLEET.twins.policies, at),
    ...parts,
  }));
const by = (author: string, at: EpochMs, reason = 'freeze') => ({ author, reason, at });

const OPTIONS = () => ({ reason: ' an incident ', fleet });
const MISSING = { fleet: 'there-is-none.json' };
async function told(command: 'pause' | 'resume', options: Flags, now = NOW, more = {}) {
  const said = listen({ ...env, ...more }, () => now);
  const code = await berth(said.cli, command, ...flags({ ...OPTIONS(), ...options }));
  expect(code).toBe(0);
  expect(said.out()).toBe('');
  return said.err();
}
const paused = (options: Flags = {}, now?: EpochMs) => told('pause', options, now);
const resumed = (options: Flags = {}, now?: EpochMs) => told('resume', options, now);

describe('berth pause', () => {
  test.each<[string, Flags, string, (control: Control) => unknown, string]>([
    ['the fleet', {}, 'The fleet', ({ fleet: found }) => found, 'to all hubs. It still applies events'],
    [
      'a hub',
      { hub: 'WEU.azure-devices.net' },
      WEU,
      ({ hubs: found }) => found[WEU],
      'stops writing to this hub',
    ],
    [
      'a policy',
      { policy: 'interval' },
      'The policy interval',
      ({ policies: found }) => found.interval,
      'this policy stops writing',
    ],
  ])('pauses %s, stores author and reason, and says what happens', async (_, options, name, find, effect) => {
    const err = await paused(options);

    expect(find(await state.control.read())).toEqual({
      author: expect.stringMatching(/^.+@.+ \(by account key\)$/),
      reason: 'an incident',
      at: NOW,
    });
    expect(err).toMatch(new RegExp(`^${name} is paused, by .+: an incident\\.\n`));
    expect(err).toContain('Within 30 seconds');
    expect(err).toContain(effect);
    expect(err).toMatch(/rollouts? stops? until "berth resume/);
    expect(err).toMatch(/State: 127\.0\.0\.1:\d+\.\n$/);
  });

  test.each<[string, Flags]>([
    ['the fleet', {}],
    ['a hub', { hub: WEU }],
    ['a policy', { policy: 'interval' }],
  ])('keeps an existing pause of %s, and says who set it and when', async (_, options) => {
    await paused({ ...options, reason: 'the first' }, plus(NOW, -3 * HOUR));
    const before = await state.control.read();

    const err = await paused({ ...options, reason: 'the second' });

    expect(err).toMatch(/is already paused since 2026-11-25T09:00Z \(3 h\), by .+: the first\.\n/);
    expect(err).toContain('Nothing was changed');
    expect(await state.control.read()).toEqual(before);
  });

  test('mentions in the pause of a hub that the fleet is paused too', async () => {
    await begin({ fleet: by('ann', plus(NOW, -HOUR)) });

    expect(await paused({ hub: WEU })).toContain(
      'Also: The fleet is paused since 2026-11-25T11:00Z (1 h), by ann: freeze.',
    );
  });

  test.each(['weu.device.azure-devices.net', 'WEU.service.azure-devices.net'])(
    'pauses a hub by its name %s',
    async (hub) => {
      expect(await paused({ hub })).toContain(WEU);

      expect((await state.control.read()).hubs).toHaveProperty([WEU]);
    },
  );

  test('pauses the fleet without a fleet file', async () => {
    await paused(MISSING);

    expect((await state.control.read()).fleet).toBeDefined();
  });

  test.each<[string, Flags, string, RegExp]>([
    [
      'a hub that the fleet file does not list',
      { hub: 'x' },
      'BERTH_HUB_UNKNOWN',
      /^Unknown hub: "x"\. .* defines: weu\.azure/,
    ],
    [
      'a connection string instead of a hub name, without repeating it',
      { hub: 'HostName=weu.azure-devices.net;SharedAccessKey=c2VjcmV0' },
      'BERTH_HUB_UNKNOWN',
      /^Unknown hub: a text that is no host name \(not repeated\)\. .* defines: weu\.azure/,
    ],
    [
      'the hub of another cloud',
      { hub: 'weu.device.azure-devices.us' },
      'BERTH_HUB_UNKNOWN',
      /^Unknown hub: "weu\.azure-devices\.us"/,
    ],
    [
      'a policy that the fleet file does not list',
      { policy: 'x' },
      'BERTH_POLICY_UNKNOWN',
      /^Unknown policy: "x"\. .* defines: interval, level\./,
    ],
    ['a policy together with a hub', { policy: 'interval', hub: WEU }, 'BERTH_ARGUMENT_INVALID', /not both/],
    ['an empty reason', { reason: ' ' }, 'BERTH_ARGUMENT_INVALID', /--reason has 0 characters/],
    ['a fleet file that does not exist', { hub: WEU, ...MISSING }, 'BERTH_FILE_UNREADABLE', /there-is-none/],
  ])('refuses %s', async (_, options, code, message) => {
    const before = await state.control.read();

    await expect(paused(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

    expect(await state.control.read()).toEqual(before);
  });

  test('refuses a hub of another stamp', async () => {
    await expect(told('pause', { hub: EUS }, NOW, { BERTH_STAMP: 'eu' })).rejects.toMatchObject({
      code: 'BERTH_HUB_UNKNOWN',
    });
  });
});

describe('the fleet file of berth pause, resume and resync', () => {
  test.each([
    [['pause', '--policy', 'level', '--reason', 'x']],
    [['resume', '--hub', WEU, '--reason', 'x']],
    [['resync', '--hub', WEU, '--reason', 'x']],
  ])('is the one in force where --fleet is left out: %j', async (argv) => {
    expect(await berth(listen({ ...env, FLEET_FILE: '/nowhere.json' }).cli, ...argv)).toBe(0);
  });

  test('is named in the error about a policy that it does not have', async () => {
    const run = (...more: readonly string[]) =>
      berth(listen(env).cli, 'pause', '--policy', 'levle', '--reason', 'x', ...more);

    await expect(run()).rejects.toMatchObject({
      message:
        'Unknown policy: "levle". Did you mean level? The fleet file in force defines: interval, level.',
    });
    await expect(run('--fleet', fleet)).rejects.toMatchObject({
      message: expect.stringContaining(`${fleet} defines: interval, level.`),
    });
  });
});

describe('berth resume', () => {
  test.each<[string, Flags, string]>([
    ['the fleet', {}, 'The fleet'],
    ['a hub', { hub: WEU }, WEU],
    ['a policy', { policy: 'interval' }, 'The policy interval'],
  ])('ends the pause of %s, says how long it lasted, and stores who ended it', async (_, options, name) => {
    await paused(options, plus(NOW, -90 * 60_000));

    const err = await resumed({ ...options, reason: 'it is over' });

    expect(err).toMatch(new RegExp(`^${name} is resumed, by .+: it is over\\.\n`));
    expect(err).toMatch(
      /It was paused from 2026-11-25T10:30Z to 2026-11-25T12:00Z \(2 h\), by .+: an incident\.\n/,
    );
    expect(err).toContain('where');
    expect(err).not.toContain('Still');
    const control = await state.control.read();
    expect(control).toMatchObject({ hubs: {}, policies: {} });
    expect(control.fleet).toBeUndefined();
    expect(control.pastPauses).toMatchObject([
      { from: plus(NOW, -90 * 60_000), to: NOW, reason: 'an incident', resumed: { reason: 'it is over' } },
    ]);
    // Two hours since the policy was first seen, less the pause.
    expect(elapsedOf(control, INTERVAL, WEU, NOW)).toBe(HOUR / 2);
  });

  test('reports that a hub is not paused, and when its last pause ended', async () => {
    expect(await resumed({ hub: WEU })).toMatch(
      /^weu\.azure-devices\.net is not paused\. Nothing was changed\.\n/,
    );

    await paused({ hub: WEU }, plus(NOW, -2 * HOUR));
    await resumed({ hub: WEU, reason: 'it is over' }, plus(NOW, -HOUR));
    const before = await state.control.read();

    expect(await resumed({ hub: WEU })).toMatch(
      /Nothing was changed\. It was resumed 1 h ago, by .+: it is over\.\n/,
    );
    expect(await state.control.read()).toEqual(before);
  });

  test('lists the pauses that remain', async () => {
    await begin({
      fleet: by('ann', plus(NOW, -HOUR)),
      hubs: { [EUS]: by('bob', plus(NOW, -HOUR)) },
      policies: { level: by('cy', plus(NOW, -HOUR)) },
    });

    const err = await resumed();

    expect(err).toContain(`Still: ${EUS} is paused since 2026-11-25T11:00Z (1 h), by bob: freeze.`);
    expect(err).toContain('Still: The policy level is paused since');
  });

  test('says that a resumed policy does not pause itself again until its content changes', async () => {
    const pause = { ...by(SELF, plus(NOW, -HOUR), '12 of the 40 devices that it has reached reject it') };
    await begin({ policies: { interval: { ...pause, content: INTERVAL.hash } } });

    const err = await resumed({ policy: 'interval' });

    expect(err).toContain('by Berth: 12 of the 40 devices that it has reached reject it.');
    expect(err).toContain('It does not pause itself again until its content changes.');
    const control = await state.control.read();
    expect(control.seen[INTERVAL.hash]?.isTrusted).toBe(true);
    expect(control.generation).toBe(1);
  });

  test('says that a resumed policy may pause itself again where its content has changed', async () => {
    await begin({ policies: { interval: { ...by(SELF, plus(NOW, -HOUR)), content: 'another' } } });

    expect(await resumed({ policy: 'interval' })).toContain('It pauses itself again if');
    expect((await state.control.read()).seen[INTERVAL.hash]?.isTrusted).toBeUndefined();
  });

  test('ends pauses of hubs and policies that are no longer in the fleet file, even without a fleet file', async () => {
    await begin({
      policies: { gone: by('ann', plus(NOW, -HOUR)) },
      hubs: { 'gone.azure-devices.net': by('ann', plus(NOW, -HOUR)) },
    });

    await resumed({ policy: 'gone', ...MISSING });
    await resumed({ hub: 'gone.azure-devices.net', ...MISSING });

    expect(await state.control.read()).toMatchObject({ hubs: {}, policies: {} });
    await expect(resumed({ policy: 'gone' })).rejects.toMatchObject({ code: 'BERTH_POLICY_UNKNOWN' });
  });

  test('escapes stored authors and reasons so that they cannot control the terminal', async () => {
    await begin({ fleet: by('\u001b[2Jann', plus(NOW, -HOUR), 'a\u202eb') });

    const err = await resumed();

    expect(err).toContain('by \\u001b[2Jann: a\\u202eb.');
  });
});

/** A snapshot in which the first policy stands like this. */
async function appear(host: typeof WEU, deviceId: string, policyStatus: PolicyStatus = 'inSync') {
  const id = { host, deviceId, moduleId: undefined };
  const { lastReconcile, ...rest } = snapshotOf({ id });
  const policiesOf = { ...lastReconcile, policies: { [INTERVAL.id]: policyStatus } };
  await state.twins.save(await state.twins.load(id), {
    kind: 'snapshot',
    snapshot: { ...rest, lastReconcile: policiesOf },
  });
}

describe('berth resync', () => {
  const resync = async (options: { readonly hub?: string; readonly fleet?: string } = {}, now = NOW) => {
    const said = listen(env, () => now);
    expect(
      await berth(said.cli, 'resync', ...flags({ hub: WEU, reason: 'failover', fleet, ...options })),
    ).toBe(0);
    return said.err();
  };
  const request = () => state.progress.read(requestName(WEU));
  beforeEach(() => state.progress.write(auditName(WEU), null));

  test('requests a full read of the hub and marks its events as trusted again', async () => {
    await begin({
      untrusted: {
        [WEU]: { since: plus(NOW, -HOUR), why: '5 of 100 snapshots' },
        [EUS]: { since: plus(NOW, -HOUR), why: '9 of 100 snapshots' },
      },
    });

    const err = await resync({ hub: WEU.toUpperCase() });

    expect(await request()).toEqual({
      at: NOW,
      author: expect.stringMatching(/^.+@.+ \(by account key\)$/),
      reason: 'failover',
    });
    expect(Object.keys((await state.control.read()).untrusted)).toEqual([EUS]);
    expect(err).toMatch(
      /^Berth reads every twin of weu\.azure-devices\.net again, as requested by .+: failover\.\n/,
    );
    expect(err).toContain('They were not trusted since 2026-11-25T11:00Z: 5 of 100 snapshots.');
    expect(err).toContain('resyncFleet starts within a minute');
  });

  test('estimates what a resync costs', async () => {
    expect(await resync()).toContain('0 twins counted so far, counting is not complete');
    for (let index = 0; index < 30; index += 1) await appear(WEU, `device-${index}`);
    await countAll(state, [WEU], plus(NOW, -120_000));

    expect(await resync()).toContain(
      '30 twins known, counted 2 min ago. Each needs one read: at most 15 a second; 30 messages, at most 24,000 a day. This takes at least 2 s, corrections not included.',
    );
  });

  test.each([
    // 100 reads a second × 0.5 × 0.3, and 400,000 messages a day × 0.2 × 0.3.
    [15_000, 15_000, 1_000_000],
    [48_000, 48_000, 2 * 24 * HOUR],
  ])(
    'estimates the duration of a resync of %d twins from the slower of the rate limit and the daily limit',
    (twins, messages, ms) => {
      const hub = { tier: 'S1', units: 1, budget: { rate: 0.5, daily: 0.2 } } as const;

      expect(resyncCost(hub, twins)).toEqual({ readsPerSecond: 15, messages, messagesPerDay: 24_000, ms });
    },
  );

  test('restarts an audit that is already running, even if its start time is in the future', async () => {
    const audit = { startedAt: plus(NOW, 60_000), phase: 'devices' };
    await state.progress.write(auditName(WEU), audit);

    expect(await resync()).toContain(
      'The audit that started at 2026-11-25T12:01Z starts again from the beginning.',
    );
    expect(await request()).toMatchObject({ at: plus(NOW, 60_001) });
  });

  test('says that a resync waits while writes are paused', async () => {
    await begin({ fleet: by('ann', plus(NOW, -HOUR)) });

    expect(await resync()).toContain('It starts only after "berth resume": paused since 2026-11-25T11:00Z');
  });

  test('refuses a hub that the fleet file does not list', async () => {
    await expect(resync({ hub: 'x' })).rejects.toMatchObject({ code: 'BERTH_HUB_UNKNOWN' });
  });
});

describe('berth policies', () => {
  const rows = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  test('shows rollouts, the counts of devices by status, and pauses with their authors', async () => {
    const statusCounts: readonly PolicyStatus[] = ['inSync', 'inSync', 'rejected', 'contested', 'held'];
    for (const [index, policyStatus] of statusCounts.entries()) await appear(EUS, `d${index}`, policyStatus);
    await countAll(state, [WEU], plus(NOW, -120_000));
    await countAll(state, [EUS], plus(NOW, -60_000));
    await countAll(state, [hostName('sea.azure-devices.net')], plus(NOW, -60_000));
    await begin({
      hubs: { [WEU]: by('ann', plus(NOW, -HOUR)) },
      policies: { level: by('bob', plus(NOW, -HOUR)), gone: by('cy', plus(NOW, -HOUR)) },
    });
    const inSync = (await state.twinCounts.of(WEU)).policies[INTERVAL.id]?.inSync ?? 0;
    const { cli, out, err } = listen(env);

    expect(await berth(cli, 'policies')).toBe(0);

    expect(err()).toContain('Twins: counted 2 min ago.');
    expect(rows(out())).toEqual([
      ['policy', 'mode', 'since', 'rollout', 'reached', 'rejected', 'held', 'contested', 'paused'],
      ['interval', 'enforce', '2 h ago', '20 %', String(4 + inSync), '1', '1', '1'],
      [
        'level',
        'observe',
        '2 h ago',
        '10 %',
        '0',
        '0',
        '0',
        '0',
        'since 2026-11-25T11:00Z (1 h), by bob: freeze',
      ],
      [`${WEU} is paused since 2026-11-25T11:00Z (1 h), by ann: freeze.`],
      [
        'The policy gone is paused since 2026-11-25T11:00Z (1 h), by cy: freeze. The fleet file no longer defines this policy.',
      ],
    ]);

    const json = listen(env);
    await berth(json.cli, 'policies', '--json');
    expect(JSON.parse(json.out())).toMatchObject({
      revision: FLEET.revision,
      countedAt: plus(NOW, -120_000),
      policies: [
        { name: 'interval', rollout: 0.2, rejected: 1, since: plus(NOW, -2 * HOUR) },
        { name: 'level', pause: { author: 'bob' } },
      ],
      pauses: { hubs: { [WEU]: { author: 'ann' } }, policies: { gone: { author: 'cy' } } },
    });
  });
});

describe('berth hubs', () => {
  test('shows pauses, and the hubs whose events are not trusted', async () => {
    await begin({
      fleet: by('ann', plus(NOW, -HOUR)),
      hubs: { [WEU]: by('bob', plus(NOW, -HOUR)) },
      untrusted: { [EUS]: { since: plus(NOW, -HOUR), why: '5 of 100 snapshots' } },
    });
    const { cli, out } = listen(env);

    await berth(cli, 'hubs');

    expect(out()).toContain('The fleet is paused since 2026-11-25T11:00Z (1 h), by ann: freeze.\n');
    expect(out()).toContain(`${WEU} is paused since 2026-11-25T11:00Z (1 h), by bob: freeze.\n`);
    expect(out()).toMatch(
      /Events of eus\S+ are not trusted since .*: 5 of 100 snapshots\. Berth reads each twin before it decides\.\n/,
    );

    const json = listen(env);
    await berth(json.cli, 'hubs', '--json');
    expect(JSON.parse(json.out())).toMatchObject({
      pause: { author: 'ann' },
      hubs: [
        { host: WEU, pause: { author: 'bob' } },
        { host: EUS, untrusted: { why: '5 of 100 snapshots' } },
        {},
      ],
    });
  });
});
