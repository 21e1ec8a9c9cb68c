import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EventHubConsumerClient, earliestEventPosition, type ReceivedEventData } from '@azure/event-hubs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { type LocalRun, runLocally } from './local-run.ts';

let bundles: Bundles;
let run: LocalRun;
let control: string;
const programs: ChildProcess[] = [];
beforeAll(async () => {
  bundles = await copyBundles();
  run = runLocally(bundles.directory, ['--plain', '--state', join(temporaryFolder('plain'), 'stack')]);
  control = await run.says(/control API (http:\S+)\)/);
});
afterAll(async () => {
  for (const program of programs) program.kill('SIGKILL');
  run.process.kill('SIGINT');
  await run.ended;
  bundles.remove();
});

const get = async <T>(path: string): Promise<T> => (await (await fetch(`${control}${path}`)).json()) as T;

/** Runs `npm run device` as a user does. */
function device(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(bundles.directory, 'device.cjs'), ...args, '--control', control],
      { cwd: bundles.directory },
      (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

/** A program that runs until the end of the test, and what it prints. */
function runProgram(command: string, args: readonly string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  programs.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  return {
    child,
    async prints(part: string): Promise<void> {
      for (const until = Date.now() + 60_000; !text.includes(part); await delay(20))
        if (Date.now() > until || child.exitCode !== null)
          throw new Error(`It does not print ${part}:\n${text}`);
    },
  };
}

/** The twin of a device on the hub that has it. */
async function twinOf(id: string): Promise<Record<string, unknown> & { readonly host: string }> {
  const hubs = await get<readonly { readonly host: string }[]>('/hubs');
  for (const { host } of hubs) {
    const response = await fetch(`${control}/hubs/${host}/devices/${id}`);
    if (response.ok) return { host, ...((await response.json()) as object) };
  }
  throw new Error(`No hub has ${id}.`);
}

/** Sends a message as a service does. The host name selects the hub, so `fetch` cannot send it. */
async function sendToDevice(host: string, id: string, body: string): Promise<void> {
  const { ports } = await get<{ readonly ports: { readonly rest: number } }>('/stack');
  const key = Buffer.from('berth-local-development-key-0001').toString('base64');
  const expiry = Math.ceil(Date.now() / 1_000) + 3_600;
  const authorization = SharedAccessSignature.create(host, 'iothubowner', key, expiry).toString();
  const path = `/devices/${id}/messages/devicebound?api-version=2021-04-12`;
  const options = {
    host: '127.0.0.1',
    port: ports.rest,
    path,
    method: 'POST',
    headers: { host, authorization },
  };
  const status = await new Promise((resolve, reject) => {
    const call = request(options, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    call.once('error', reject);
    call.end(body);
  });
  expect([200, 204]).toContain(status);
}

describe('the local stack without Berth', () => {
  test('has hubs, DPS and Event Hubs, but no functions, no simulated devices and no enrollment', async () => {
    const stack = await get<{ readonly plain: boolean; readonly certificates: { readonly bundle: string } }>(
      '/stack',
    );

    expect(stack.plain).toBe(true);
    expect(
      readFileSync(stack.certificates.bundle, 'utf8').match(/BEGIN CERTIFICATE/g)?.length,
    ).toBeGreaterThan(50);
    expect(await get('/enrollments')).toEqual([]);
    expect(await get('/registrations')).toEqual([]);
    expect((await get<readonly { name: string }[]>('/processes')).map(({ name }) => name)).toEqual([
      'supervisor',
      'azurite',
    ]);
    expect(run.said()).not.toContain('func start');
  });

  test('registers a device of the user, and prints how a program runs as it', async () => {
    const { code, out } = await device('lamp');

    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^lamp is on contoso-\w+\.azure-devices\.net\ndesired \{/),
    ]);
    expect(out).toContain('npm run --silent device -- lamp --print-env');
  });

  test('prints the environment of a device with a certificate, and nothing else', async () => {
    const { code, out, err } = await device('meter', '--x509', '--print-env');

    const lines = out.trimEnd().split('\n');
    expect([code, err]).toEqual([0, expect.stringMatching(/^meter is on /)]);
    expect(lines.every((line) => /^export [A-Z0-9_]+='[^']+'$/.test(line))).toBe(true);
    const file = /X509_CERT_FILE='(.*)'/.exec(out)?.[1] ?? '';
    expect(existsSync(file)).toBe(true);
  });

  test('makes an IoT Edge device, and a group by its name', async () => {
    await device('gateway', '--edge');
    await device('line-1-lamp', '--group', 'line-1');

    expect(await twinOf('gateway')).toMatchObject({ capabilities: { iotEdge: true } });
    expect(await get('/enrollments')).toContainEqual(
      expect.objectContaining({ enrollmentGroupId: 'line-1' }),
    );
  });

  test('registers a device with a simulated TPM, and reads its twin with a token of the TPM', async () => {
    const { code, out } = await device('vault', '--tpm');

    expect([code, out]).toEqual([0, expect.stringMatching(/^vault is on \S+\ndesired \{/)]);
  });

  test('names what does not fit, with the flag to change', async () => {
    const { code, err } = await device('line-1-meter', '--group', 'line-1', '--x509');

    expect([code, err]).toEqual([1, expect.stringContaining('leave out --x509')]);
    expect(err).toContain('[BERTH_LOCAL_DEVICE_ENROLLMENT]');
  });

  test('keeps a device connected with --stay until Ctrl-C', async () => {
    const staying = runProgram(process.execPath, [
      ...[join(bundles.directory, 'device.cjs'), 'stayer', '--stay', '--control', control],
    ]);
    await staying.prints('desired {');
    const { host } = await twinOf('stayer');
    await fetch(`${control}/hubs/${host}/devices/stayer`, {
      method: 'PATCH',
      body: JSON.stringify({ properties: { desired: { color: 'red' } } }),
    });

    await staying.prints('"color":"red"');
    staying.child.kill('SIGINT');
    expect((await once(staying.child, 'exit'))[0]).toBe(0);
  });
});

describe('a stack that is killed', () => {
  test('is restarted with its state and its ports at once, and says so', async () => {
    const { host } = await twinOf('lamp');
    const supervisor = async () =>
      (await get<readonly { name: string; pid: number; restarts: number }[]>('/processes')).find(
        ({ name }) => name === 'supervisor',
      );
    const before = await supervisor();
    expect(before?.restarts).toBe(0);
    await sendToDevice(host, 'lamp', 'kept');
    const { eventHub, events } = await get<{ readonly eventHub: string; readonly events: number }>('/events');

    process.kill(before?.pid ?? 0, 'SIGKILL');
    const after = await eventually(
      () => supervisor().catch(() => undefined),
      (shown) => shown !== undefined && shown.pid !== before?.pid,
    );

    expect(after).toMatchObject({ restarts: 1 });
    expect(await twinOf('lamp')).toMatchObject({ host, deviceId: 'lamp' });
    expect(await get('/events')).toMatchObject({ eventHub, events });
    const staying = runProgram(process.execPath, [
      ...[join(bundles.directory, 'device.cjs'), 'lamp', '--stay', '--control', control],
    ]);
    await staying.prints('message kept');
    staying.child.kill('SIGINT');
    expect(run.said()).toContain('The local stack ended (SIGKILL) and restarts in 1 s, with its state.');
  });
});

describe('the local stack with local.json', () => {
  const HOST = 'my-hub.azure-devices.net';
  let own: LocalRun;
  let address: string;
  beforeAll(async () => {
    const folder = temporaryFolder('local-json');
    const endpoint = { name: 'warm', entityPath: 'warm-devices' };
    const route = { name: 'warm', source: 'DeviceMessages', endpointNames: ['warm'] };
    const routing = {
      endpoints: { eventHubs: [endpoint] },
      routes: [
        { ...route, condition: "$body.temperature > 0 AND $connectionDeviceId = 'warm-lamp'" },
        { ...route, name: 'twins', source: 'TwinChangeEvents', endpointNames: ['events'] },
      ],
      enrichments: [{ key: 'from', value: '$iothubname', endpointNames: ['warm', 'events'] }],
    };
    const content = {
      hubs: [{ host: HOST, builtInEndpoint: { consumerGroups: ['app'] }, routing }],
      dps: { idScope: '0ne12345678' },
    };
    writeFileSync(join(folder, 'local.json'), JSON.stringify(content));
    own = runLocally(bundles.directory, ['--plain', '--state', join(folder, 'state')], folder);
    address = await own.says(/control API (http:\S+)\)/);
  });
  afterAll(async () => {
    own.process.kill('SIGINT');
    await own.ended;
  });

  /** The first event of an Event Hub that fits. */
  async function firstEvent(
    connection: string,
    group: string,
    fits: (event: ReceivedEventData) => boolean,
  ): Promise<ReceivedEventData> {
    const client = new EventHubConsumerClient(group, connection);
    try {
      return await new Promise<ReceivedEventData>((resolve, reject) => {
        client.subscribe(
          {
            processEvents: async (events) => {
              const found = events.find(fits);
              if (found !== undefined) resolve(found);
            },
            processError: async (error) => reject(error),
          },
          { startPosition: earliestEventPosition },
        );
      });
    } finally {
      await client.close();
    }
  }

  test('routes messages by their body to an Event Hub, and the others to the built-in endpoint', async () => {
    const stack = (await (await fetch(`${address}/stack`)).json()) as {
      readonly idScope: string;
      readonly settings: { readonly TWIN_EVENTS: string };
    };
    const hub = (await (await fetch(`${address}/hubs/${HOST}`)).json()) as {
      readonly builtInEndpoint: { readonly eventHubName: string; readonly connectionString: string };
    };
    const { eventHubName, connectionString } = hub.builtInEndpoint;
    for (const id of ['warm-lamp', 'cold-lamp'])
      runProgram(process.execPath, [
        join(bundles.directory, 'device.cjs'),
        id,
        '--stay',
        '--control',
        address,
      ]);

    const isTelemetry = (event: ReceivedEventData) =>
      event.systemProperties?.['iothub-message-source'] === 'Telemetry';
    const warm = await firstEvent(
      `${stack.settings.TWIN_EVENTS}EntityPath=warm-devices`,
      '$Default',
      isTelemetry,
    );
    const cold = await firstEvent(connectionString, 'app', isTelemetry);

    expect(stack.idScope).toBe('0ne12345678');
    expect(eventHubName).toBe('iothub-ehub-my-hub');
    expect(
      [warm, cold].map(({ properties, systemProperties }) => [
        properties?.from,
        systemProperties?.['iothub-connection-device-id'],
      ]),
    ).toEqual([
      ['my-hub', 'warm-lamp'],
      ['my-hub', 'cold-lamp'],
    ]);
  });
});

describe('npm run monitor', () => {
  const monitor = (...args: readonly string[]) =>
    runProgram(process.execPath, [join(bundles.directory, 'monitor.cjs'), '--control', control, ...args]);

  test('shows telemetry, twin changes, messages and direct methods of one device, and ends with Ctrl-C', async () => {
    const staying = runProgram(process.execPath, [
      ...[join(bundles.directory, 'device.cjs'), 'watched', '--stay', '--control', control],
    ]);
    await staying.prints('desired {');
    const { host } = await twinOf('watched');
    const watching = monitor('--device', 'watch*', '--properties', 'app');
    const asJson = monitor('--hub', host, '--json', '--count', '1');
    await watching.prints('Watching the hubs');

    await fetch(`${control}/hubs/${host}/devices/watched`, {
      method: 'PATCH',
      body: JSON.stringify({ properties: { desired: { color: 'red' } } }),
    });

    await watching.prints('TwinChangeEvents  watched @ ');
    await watching.prints('app  opType: updateTwin');
    await watching.prints('DeviceMessages  watched @ ');
    await asJson.prints(`"hub":"${host}"`);
    watching.child.kill('SIGINT');
    expect((await once(watching.child, 'exit'))[0]).toBe(0);
    staying.child.kill('SIGINT');
  });

  test('refuses a hub that the stack does not have, with the hubs', async () => {
    const { prints, child } = monitor('--hub', 'contoso-wue');

    await prints('Unknown hub "contoso-wue"');
    expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(1);
  });
});

describe('the sample for Node.js', () => {
  test('runs with the environment that --print-env gives a shell, and sends telemetry', async () => {
    const args = [process.execPath, join(bundles.directory, 'device.cjs')]
      .map((part) => `"${part}"`)
      .join(' ');
    const sample = runProgram('sh', [
      '-c',
      `eval "$(${args} sample-node --print-env --control ${control})" && exec "${process.execPath}" "${resolve('samples/node/device.mjs')}"`,
    ]);

    await sample.prints('sent');
    expect(await twinOf('sample-node')).toMatchObject({ properties: { reported: { sample: 'node' } } });
    sample.child.kill('SIGINT');
    expect((await once(sample.child, 'exit'))[0]).toBe(0);
  });
});
