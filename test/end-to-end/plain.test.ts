import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, buildBundles } from './bundles.ts';
import { type LocalRun, runLocally } from './local-run.ts';

let bundles: Bundles;
let run: LocalRun;
let control: string;
const programs: ChildProcess[] = [];
beforeAll(async () => {
  bundles = buildBundles();
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
