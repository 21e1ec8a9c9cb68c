import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { openBatteries } from '../../local/devices/batteries.ts';
import { SimulatedDevice } from '../../local/devices/device.ts';
import type { DeviceProfile } from '../../local/devices/device-profiles.ts';
import { functionKeys } from '../../local/keys.ts';
import { askForCredentials, readStack } from '../../local/own-device/stack.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { type LocalRun, runLocally } from './local-run.ts';

const STACK = z.object({
  ports: z.object({ functions: z.number() }),
  settings: z.record(z.string(), z.string()),
});
const WEU = 'contoso-weu.azure-devices.net';
const NEU = 'contoso-neu.azure-devices.net';
const KEY = { 'x-functions-key': 'local-function-key' };

let bundles: Bundles;
let state: string;
let run: LocalRun;
let control: string;
let stack: z.output<typeof STACK>;
beforeAll(async () => {
  bundles = await copyBundles();
  moveAtOnce(join(bundles.directory, 'fleet.json'));
  state = temporaryFolder('command');
  run = runLocally(bundles.directory, ['--devices', '3', '--state', join(state, 'stack')]);
  control = await run.says(/control API (http:\S+)\)/);
  await run.says(/the functions (run)/);
  stack = STACK.parse(await (await fetch(`${control}/stack`)).json());
  await eventually(async () => {
    const registrations = (await (await fetch(`${control}/registrations`)).json()) as unknown[];
    return registrations.length >= 3;
  });
});
afterAll(async () => {
  run.process.kill('SIGINT');
  await run.ended;
  bundles.remove();
});

/** Lets a drain reach every device at once. */
function moveAtOnce(file: string): void {
  const fleet = JSON.parse(readFileSync(file, 'utf8')) as { allocation: { moves: { ask: object } } };
  const { moves } = fleet.allocation;
  writeFileSync(
    file,
    JSON.stringify({ ...fleet, allocation: { ...fleet.allocation, moves: { ask: moves.ask } } }),
  );
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a bundle as a user does. */
function command(bundle: string, ...args: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(bundles.directory, bundle), ...args],
      { cwd: bundles.directory, env: { ...process.env, ...stack.settings } },
      (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}
const berth = (...args: readonly string[]) => command('berth.cjs', ...args);
const device = (id: string, payload: object, over = 'mqtt') =>
  command('device.cjs', id, '--payload', JSON.stringify(payload), '--over', over, '--control', control);
const GERMANS = Array.from({ length: 12 }, (_, index) => `german-${index}`);
/** The hub that the webhook would give a German device now. It stores nothing. */
const hubOf = async (registrationId: string): Promise<string | undefined> => {
  const response = await fetch(`http://127.0.0.1:${stack.ports.functions}/api/explain`, {
    method: 'POST',
    headers: { ...KEY, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...CAPTURED,
      enrollmentGroup: { ...CAPTURED.enrollmentGroup, iotHubs: [] },
      deviceRuntimeContext: { registrationId, symmetricKey: {}, payload: { country: 'DE' } },
      linkedHubs: [WEU, NEU],
    }),
  });
  return ((await response.json()) as { readonly result: { readonly host?: string } }).result.host;
};
const lastReceipt = async (id: string) => {
  const response = await fetch(`http://127.0.0.1:${stack.ports.functions}/api/devices/${id}`, {
    headers: KEY,
  });
  const { receipts } = (await response.json()) as { readonly receipts: readonly object[] };
  return receipts[0];
};

/** A device that keeps its hub until it is asked to leave it. */
const QUIET: Omit<DeviceProfile, 'deviceId'> = {
  site: 'frankfurt',
  country: 'DE',
  model: 'pump-2',
  nearness: { region: 'germanywestcentral' },
  registersOver: 'https',
  proof: 'key',
  battery: 'full',
  rejectsLongIntervals: false,
  registersAgain: 'whenAsked',
};

const resyncNow = () =>
  fetch(`http://127.0.0.1:${stack.ports.functions}/admin/functions/resyncFleet`, {
    method: 'POST',
    headers: { 'x-functions-key': functionKeys(process.env).master },
    body: '{"input":""}',
  });

const DESIRED = z.object({
  properties: z.object({
    desired: z.object({ berth: z.object({ leaveHub: z.string() }).partial().optional() }),
  }),
});
async function desiredOn(hub: string, deviceId: string) {
  return DESIRED.parse(await (await fetch(`${control}/hubs/${hub}/devices/${deviceId}`)).json()).properties
    .desired;
}

/** Waits until the functions have stored a dead letter. A command for each look would take half a second of CPU. */
async function deadLetter(): Promise<void> {
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${stack.ports.functions}/api/dead-letters`, {
      headers: KEY,
    });
    const { letters } = (await response.json()) as { readonly letters: readonly object[] };
    return letters.length > 0;
  });
}

test('the help loads a small bundle, without the commands and their packages', async () => {
  const [small, whole] = ['berth.cjs', 'berth-whole.cjs'].map((file) =>
    readFileSync(join(bundles.directory, file), 'utf8'),
  );

  expect(small?.length).toBeLessThan(250_000);
  expect(small).not.toContain('ZodType');
  expect(whole).toContain('ZodType');
  expect((await berth('--help')).out).toContain('Commands:');
  expect(await berth('hubs', '--nope')).toMatchObject({ code: 1, err: expect.stringContaining('--nope') });
});

describe('an operator and devices, against the local stack', () => {
  test('a device that reports latencies goes to a near hub', async () => {
    const { code, out } = await device('near-sea', {
      country: 'SG',
      latency: { southeastasia: 5, [WEU]: 900, [NEU]: 900, eastus: 900 },
    });

    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^near-sea is on contoso-sea\.azure-devices\.net, payload \{"region":"southeastasia"\}/,
      ),
    ]);
    expect(out).toContain('desired {"sendDataInterval":5000');
    expect(out).toMatch(/\nTwin on contoso-sea\.azure-devices\.net: /);
    expect(out).toMatch(/\nnear-sea → contoso-sea\.azure-devices\.net \(placed: /);
  });

  test('a German device, and a device without a country, stay in the EU', async () => {
    const german = await device('german', { country: 'DE' }, 'https');
    const hidden = await device('hidden', {});

    expect(german.out).toMatch(/^german is on contoso-(weu|neu)\./);
    expect(hidden.out).toMatch(/^hidden is on contoso-(weu|neu)\./);
  });

  test('DPS reports the refusal of a device that a rule denies', async () => {
    const { code, out, err } = await device('old', { country: 'US', model: 'x0' });

    expect([code, err]).toEqual([1, expect.stringContaining('400207')]);
    expect(err).toContain('Rule "retired" denies the registration: model x0 is retired.');
    expect(out).toContain('old → refused: Rule "retired" denies the registration: model x0 is retired.');
  });

  test('a cordoned hub takes no new devices within a minute, and is drained afterwards', async () => {
    expect(
      (await berth('hub', 'set', WEU, '--state', 'cordoned', '--reason', 'test', '--expires', '1h')).code,
    ).toBe(0);
    // Of these German devices, two in three would go to it. Asked by HTTP, as DPS asks: a device needs a process of its own.
    await eventually(async () => !new Set(await Promise.all(GERMANS.map(hubOf))).has(WEU));
    const places = await Promise.all([0, 1, 2, 3].map((each) => device(`de-${each}`, { country: 'DE' })));
    expect(places.filter(({ out }) => !out.includes(` is on ${NEU}`))).toEqual([]);
    const shown = JSON.parse((await berth('hubs', '--json')).out) as {
      readonly hubs: readonly { readonly host: string }[];
    };
    expect(shown.hubs.find(({ host }) => host === WEU)).toMatchObject({
      state: 'cordoned',
      overrides: { state: { value: 'cordoned', reason: 'test', author: expect.stringContaining('@') } },
    });

    await berth('hub', 'set', WEU, '--state', 'draining', '--reason', 'test', '--expires', '1h');
    const fleet = (await (
      await fetch(`http://127.0.0.1:${stack.ports.functions}/api/fleet`, { headers: KEY })
    ).json()) as {
      readonly hubs: readonly { readonly host: string }[];
    };
    expect(fleet.hubs.find(({ host }) => host === WEU)).toMatchObject({
      state: 'draining',
      share: { wanted: 0 },
    });
    expect((await berth('hub', 'clear', WEU)).err).toContain('it was draining');
  });

  test('a drain asks devices that never register again by themselves, and they move to another hub', async () => {
    // The test before has ended its override. An instance may still know it for a while.
    await eventually(async () => new Set(await Promise.all(GERMANS.map(hubOf))).has(WEU));
    const own = await readStack(control);
    const ending = new AbortController();
    const batteries = openBatteries(join(state, 'batteries.jsonl'));
    const hubs = new Map<string, string[]>();
    const running = ['quiet-1', 'quiet-2', 'quiet-3', 'quiet-4'].map(async (deviceId) => {
      const { key, idScope } = await askForCredentials(control, {
        registrationId: deviceId,
        proof: 'key',
        group: undefined,
        edge: false,
      });
      await new SimulatedDevice({
        profile: { ...QUIET, deviceId },
        proof: { kind: 'key', key: key ?? '' },
        stack: {
          idScope,
          ca: own.root,
          httpsPort: own.ports.https,
          mqttPort: own.ports.mqtt,
          controlUrl: control,
          batteries: '',
          lively: false,
        },
        batteries,
        publish(news) {
          if (news.type === 'registered') hubs.set(deviceId, [...(hubs.get(deviceId) ?? []), news.hub]);
        },
        signal: ending.signal,
      }).run();
    });
    try {
      await eventually(() => hubs.size === 4);
      const onWeu = [...hubs].filter(([, [first]]) => first === WEU).map(([deviceId]) => deviceId);
      expect(onWeu.length).toBeGreaterThan(0);
      await berth('hub', 'set', WEU, '--state', 'draining', '--reason', 'test', '--expires', '1h');

      // Berth waits a minute until every instance knows of the drain.
      await eventually(
        async () => {
          await resyncNow();
          await delay(5_000);
          return onWeu.every((deviceId) => hubs.get(deviceId)?.length === 2);
        },
        Boolean,
        240_000,
      );

      // With the country, NEU is the only other hub. On it, the twin still names WEU, so no device registers a third time.
      expect(onWeu.map((deviceId) => hubs.get(deviceId))).toEqual(onWeu.map(() => [WEU, NEU]));
      const shown = JSON.parse((await berth('hub', 'drain', WEU, '--list', 'moved', '--json')).out) as {
        readonly devices: readonly object[];
      };
      expect(shown.devices).toEqual(
        expect.arrayContaining(onWeu.map((deviceId) => expect.objectContaining({ deviceId, movedTo: NEU }))),
      );
      await eventually(async () => {
        const twins = await Promise.all(onWeu.map((deviceId) => desiredOn(NEU, deviceId)));
        return twins.every((desired) => desired.berth?.leaveHub === undefined);
      });
      expect([...hubs.values()].every(({ length }) => length <= 2)).toBe(true);
    } finally {
      ending.abort();
      await Promise.all(running);
      batteries.close();
      await berth('hub', 'clear', WEU);
    }
  }, 400_000);

  test('berth explain recomputes the same decision from a stored receipt', async () => {
    const file = join(state, 'receipt.json');
    // The table copy is flushed each second.
    const receipt = await eventually(() => lastReceipt('hidden').catch(() => undefined));
    writeFileSync(file, JSON.stringify(receipt));

    const { code, out } = await berth('explain', '--request', file);

    expect(code).toBe(0);
    expect(out).toMatch(/eu-residency +unknown +yes +the key country is missing/);
    expect(out).toContain('Recomputed: the receipt is identical.');
  });

  test('berth export writes the known devices, and berth what-if tests another fleet file on them in worker threads', async () => {
    const devices = join(state, 'devices.jsonl');
    expect((await berth('export', '--out', devices)).code).toBe(0);
    const known = readFileSync(devices, 'utf8').trimEnd().split('\n').length;
    expect(known).toBeGreaterThanOrEqual(6);
    const file = join(state, 'new.json');
    const fleet = JSON.parse(readFileSync(join(bundles.directory, 'fleet.json'), 'utf8')) as {
      readonly hubs: readonly object[];
    };
    writeFileSync(file, JSON.stringify({ ...fleet, hubs: fleet.hubs.map((hub) => ({ ...hub, weight: 1 })) }));

    const { code, out } = await berth(
      'what-if',
      '--fleet',
      file,
      '--devices',
      devices,
      '--json',
      '--max-moves',
      '0',
    );
    const synthetic = await berth(
      'what-if',
      '--fleet',
      file,
      '--against',
      'fleet.json',
      '--devices',
      '20000',
      '--json',
    );

    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ devices: known, moves: { count: 0 } });
    expect(JSON.parse(synthetic.out)).toMatchObject({ devices: 20_000, moves: { count: 0 } });
  });

  test('berth what-if --twins tests a policy change on the stored twins', async () => {
    const file = join(state, 'policy.json');
    const fleet = JSON.parse(readFileSync(join(bundles.directory, 'fleet.json'), 'utf8')) as object;
    const policies = [{ name: 'tried', desired: { tried: true } }];
    writeFileSync(file, JSON.stringify({ ...fleet, twins: { policies } }));

    const { code, out } = await berth('what-if', '--twins', '--fleet', file, '--json');
    const tooMany = await berth('what-if', '--twins', '--fleet', file, '--max-writes', '0');

    interface Report {
      readonly writes: { readonly count: number };
      readonly policies: readonly {
        readonly name: string;
        readonly change: string;
        readonly written: number;
      }[];
    }
    const { writes, policies: reported } = JSON.parse(out) as Report;
    const tried = reported.find(({ name }) => name === 'tried');
    expect(code).toBe(0);
    expect(tried?.change).toBe('new');
    expect(tried?.written).toBeGreaterThan(0);
    // The drain of an earlier test may have left requests to move, which are removed too.
    expect(writes.count).toBeGreaterThanOrEqual(tried?.written ?? 0);
    expect(tooMany).toMatchObject({ code: 1, err: expect.stringContaining('[BERTH_TOO_MANY_WRITES]') });
  });

  test('an event that cannot be decoded is listed, shown, replayed without success, and purged', async () => {
    const event = {
      body: Buffer.from('not json').toString('base64'),
      properties: {
        hubName: 'contoso-weu',
        opType: 'updateTwin',
        operationTimestamp: '2026-11-25T12:00:00Z',
      },
      systemProperties: {
        'iothub-connection-device-id': 'x',
        'iothub-message-source': 'twinChangeEvents',
      },
    };
    await fetch(`${control}/events`, { method: 'POST', body: JSON.stringify(event) });
    await deadLetter();
    const { letters } = JSON.parse((await berth('dead-letters', 'list', '--json')).out) as {
      readonly letters: readonly { readonly id: string }[];
    };
    const [{ id } = { id: '' }] = letters;

    expect(letters).toHaveLength(1);
    expect((await berth('dead-letters', 'show', id)).out).toContain('body: 8 bytes, text\n  not json\n');
    expect((await berth('dead-letters', 'show', id, '--body')).out).toBe('not json');
    expect(await berth('dead-letters', 'replay', '--all')).toMatchObject({
      code: 1,
      out: `${id} stays: it has a body that is not JSON\n`,
    });
    expect(await berth('dead-letters', 'purge', id)).toMatchObject({ code: 0 });
    expect((await berth('dead-letters', 'list')).err).toContain('No dead letters.');
  });

  test('a command ends quietly when its reader closes the pipe, and with a sentence when the disk is full', async () => {
    const berthInShell = (line: string) =>
      new Promise<Said>((resolve) => {
        execFile(
          'bash',
          ['-c', `set -o pipefail; berth() { "$NODE" "$BERTH" "$@"; }; ${line}`],
          {
            cwd: bundles.directory,
            env: { ...process.env, NODE: process.execPath, BERTH: join(bundles.directory, 'berth.cjs') },
          },
          (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
        );
      });

    expect(await berthInShell('berth what-if --devices 100 | true')).toEqual({ code: 0, out: '', err: '' });
    expect(await berthInShell('berth what-if --devices 100 > /dev/full')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^The result cannot be written: .*ENOSPC[^\n]*\n$/),
    });
  });

  test('a command that changes something finishes its work when its reader closes the pipe', async () => {
    const file = join(bundles.directory, 'twelve-groups.json');
    const groups = Array.from({ length: 12 }, (_, index) => ({
      id: `group-${index}`,
      attestation: { type: 'symmetricKey' },
      allocationPolicy: 'hashed',
    }));
    writeFileSync(file, JSON.stringify({ groups }));
    const line = `set -o pipefail; "$NODE" "$BERTH" enroll apply --file ${file} 2>&1 | head -n 1`;
    const env = {
      ...process.env,
      ...stack.settings,
      NODE: process.execPath,
      BERTH: join(bundles.directory, 'berth.cjs'),
    };

    const applied = await new Promise<Said>((resolve) => {
      execFile('bash', ['-c', line], { cwd: bundles.directory, env }, (error, out, err) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
      );
    });

    expect(applied).toMatchObject({ code: 0, out: expect.stringMatching(/^DPS: [^\n]*\n$/), err: '' });
    expect((await berth('enroll', 'plan', '--file', file)).out).toContain('12 unchanged');
  });

  test('berth validate accepts the fleet file, and a wrong option is an error with a code', async () => {
    expect(await berth('validate', '--registrations', '100')).toMatchObject({
      code: 0,
      out: expect.stringContaining('fleet.json is valid: 4 hubs'),
    });
    expect(await berth('validate', '--partitions', 'x')).toMatchObject({
      code: 1,
      err: expect.stringContaining('[BERTH_ARGUMENT_INVALID]'),
    });
  });
});
