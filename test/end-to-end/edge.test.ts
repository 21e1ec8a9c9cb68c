import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as z from 'zod';
import { functionKeys } from '../../local/keys.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { type LocalRun, runLocally } from './local-run.ts';

/** The article: an IoT Edge device gets the temperature sensor, its settings, and a version that cannot be pulled. */

const SENSOR = 'mcr.microsoft.com/azureiotedge-simulated-temperature-sensor';
const LAB = 'edge-0001';
const OTHER = 'edge-0002';
/** Berth decides about a stage by counts that are at least a minute newer than the control row. */
const WITHIN_MS = 110_000;
/** Between two questions that start a program or run `resyncFleet`: each takes a second of CPU. */
const SLOW_MS = 5_000;

const STACK = z.object({
  ports: z.object({ functions: z.number() }),
  settings: z.record(z.string(), z.string()),
});
const PROCESSES = z.array(z.object({ name: z.string(), pid: z.number().nullable() }));
const REGISTRATIONS = z.array(
  z.object({ registrationId: z.string(), assignment: z.object({ host: z.string() }) }),
);
const TWIN = z.object({
  properties: z.object({
    desired: z.record(z.string(), z.unknown()),
    reported: z.record(z.string(), z.unknown()),
  }),
});
const AGENT = z.object({
  lastDesiredStatus: z.object({ code: z.number() }),
  systemModules: z.record(z.string(), z.object({ runtimeStatus: z.string().optional() })),
  modules: z.record(
    z.string(),
    z.object({ runtimeStatus: z.string(), settings: z.object({ image: z.string() }) }),
  ),
});
const WATCHED = z.object({ at: z.string(), source: z.string(), deviceId: z.string(), moduleId: z.string() });

let bundles: Bundles;
let run: LocalRun;
let control: string;
let stack: z.output<typeof STACK>;
beforeAll(async () => {
  bundles = await copyBundles();
  writeEdge({ image: `${SENSOR}:1.6`, interval: 5 });
  const state = join(temporaryFolder('edge'), 'stack');
  run = runLocally(bundles.directory, ['--devices', '1', '--edge-devices', '2', '--state', state]);
  control = await run.says(/control API (http:\S+)\)/);
  await run.says(/the functions (run)/);
  stack = STACK.parse(await get('/stack'));
});
afterAll(async () => {
  run.process.kill('SIGINT');
  await run.ended;
  bundles.remove();
});

interface EdgeFile {
  readonly image: string;
  /** `SendInterval`, in seconds. */
  readonly interval: number;
  readonly rollout?: object;
}

/** Writes the section `edge` into the fleet file of the app. */
function writeEdge({ image, interval, rollout }: EdgeFile): void {
  const file = join(bundles.directory, 'fleet.json');
  const modules = { tempSensor: { image, desired: { SendInterval: interval } } };
  const routes = { toCloud: 'FROM /messages/* INTO $upstream' };
  const sensor = { name: 'sensor', when: 'true', modules, routes, ...(rollout && { rollout }) };
  const fleet = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...fleet, edge: { deployments: [sensor] } }));
}

/** Starts the functions again, as a deployment does. The stack restarts a function host that ends. */
async function deploy(edge: EdgeFile): Promise<void> {
  const before = await functionHost();
  writeEdge(edge);
  process.kill(before ?? 0, 'SIGTERM');
  await until('the functions run again', async () => {
    const pid = await functionHost();
    return pid !== undefined && pid !== before;
  });
}

async function functionHost(): Promise<number | undefined> {
  const processes = PROCESSES.parse(await get('/processes'));
  return processes.find(({ name }) => name === 'function host')?.pid ?? undefined;
}

async function get(path: string): Promise<unknown> {
  return (await fetch(`${control}${path}`)).json();
}

async function twinOf(deviceId: string, moduleId: string) {
  const registrations = REGISTRATIONS.parse(await get('/registrations'));
  const host = registrations.find(({ registrationId }) => registrationId === deviceId)?.assignment.host;
  const response = await fetch(`${control}/hubs/${host}/devices/${deviceId}/modules/${moduleId}`);
  return response.ok ? TWIN.parse(await response.json()).properties : undefined;
}

/** What `$edgeAgent` reports. Undefined: it has not reported all of it yet. */
async function agentOf(deviceId: string): Promise<z.output<typeof AGENT> | undefined> {
  return AGENT.safeParse((await twinOf(deviceId, '$edgeAgent'))?.reported).data;
}

/** Whether the device has taken its manifest, all its modules run, and the sensor has this image. */
async function runs(deviceId: string, image: string): Promise<boolean> {
  const agent = await agentOf(deviceId);
  const { edgeAgent, edgeHub } = agent?.systemModules ?? {};
  const sensor = agent?.modules.tempSensor;
  return (
    agent?.lastDesiredStatus.code === 200 &&
    [edgeAgent, edgeHub, sensor].every((module) => module?.runtimeStatus === 'running') &&
    sensor?.settings.image === image
  );
}

async function until(what: string, isTrue: () => Promise<boolean>, pauseMs = 250): Promise<void> {
  for (const end = Date.now() + WITHIN_MS; !(await isTrue()); await delay(pauseMs))
    if (Date.now() > end)
      throw new Error(`Not within ${WITHIN_MS} ms: ${what}.\n${run.said().slice(-1_000)}`);
}

/** Runs a command of Berth and returns what it prints on standard output. */
function berth(...args: readonly string[]): Promise<string> {
  return program('berth.cjs', args, { ...process.env, ...stack.settings });
}

function program(bundle: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(bundles.directory, bundle), ...args],
      { cwd: bundles.directory, env },
      (error, out, err) =>
        error === null ? resolve(out) : reject(new Error(`${error.message}\n${out}${err}`)),
    );
  });
}

/** The times between this many messages of the sensor that reach the hub of the device, in seconds, the shortest first. */
async function telemetryGaps(deviceId: string, messages: number): Promise<readonly number[]> {
  const filter = ['--device', deviceId, '--module', 'tempSensor', '--count', String(messages)];
  const lines = (
    await program('monitor.cjs', ['--json', '--control', control, ...filter], process.env)
  ).trim();
  const items = lines.split('\n').map((line) => WATCHED.parse(JSON.parse(line)));
  expect(new Set(items.map(({ source }) => source))).toEqual(new Set(['DeviceMessages']));
  const times = items.map(({ at }) => Date.parse(at) / 1_000);
  return times
    .slice(1)
    .map((time, index) => time - (times[index] ?? time))
    .sort((one, other) => one - other);
}

/** Runs `resyncFleet` now, which counts the results of a stage every minute. */
async function resync(): Promise<void> {
  await fetch(`http://127.0.0.1:${stack.ports.functions}/admin/functions/resyncFleet`, {
    method: 'POST',
    headers: { 'x-functions-key': functionKeys(process.env).master, 'content-type': 'application/json' },
    body: '{}',
  });
}

test('a new IoT Edge device gets the sensor, runs it, and its telemetry reaches the hub', async () => {
  await until('both devices run the sensor', async () =>
    (await Promise.all([LAB, OTHER].map((id) => runs(id, `${SENSOR}:1.6`)))).every(Boolean),
  );

  expect((await twinOf(LAB, 'tempSensor'))?.desired).toMatchObject({ SendInterval: 5 });
  // A busy machine may delay a message by seconds, which shortens the next time.
  expect((await telemetryGaps(LAB, 3)).at(-1)).toBeGreaterThan(3.5);
  const isKnown = async () => /edge-0001.* inSync .* 3 of 3/.test(await berth('edge', 'status'));
  await until('Berth knows it', isKnown, SLOW_MS);
  expect(await berth('edge', 'history', LAB)).toContain('it has no manifest yet');
}, 120_000);

test('another interval in the fleet file changes the pace of the telemetry', async () => {
  await deploy({ image: `${SENSOR}:1.6`, interval: 1 });
  await until(
    'the sensor reports the interval',
    async () => (await twinOf(LAB, 'tempSensor'))?.reported.SendInterval === 1,
  );

  expect((await telemetryGaps(LAB, 4))[0]).toBeLessThan(3);
}, 120_000);

test('an image that cannot be pulled stops the rollout at its first stage and is rolled back', async () => {
  await fetch(`${control}/faults`, {
    method: 'PUT',
    body: JSON.stringify({ seed: 7, edge: { pullFails: 'sensor:9.9' } }),
  });
  await deploy({
    image: `${SENSOR}:9.9`,
    interval: 1,
    rollout: {
      stages: [
        { name: 'lab', where: `deviceId == '${LAB}'`, atLeast: '1s' },
        { name: 'all', share: 1 },
      ],
      gate: { deadline: '2s' },
      onFailure: 'rollback',
    },
  });
  const shows = async (text: string, ...args: readonly string[]) => (await berth(...args)).includes(text);
  const pullFails = `edgeAgent reports 500: Failed to pull ${SENSOR}`;
  await until('Berth shows why', () => shows(pullFails, 'edge', 'status'), SLOW_MS);
  const rolledBack = async () => {
    await resync();
    return shows('sensor: rolled back', 'rollouts', 'show', 'sensor');
  };
  await until('Berth rolls the rollout back', rolledBack, SLOW_MS);
  const hasEarlier = async () => {
    await resync();
    return runs(LAB, `${SENSOR}:1.6`);
  };
  await until('the device runs the earlier version', hasEarlier, SLOW_MS);

  expect(await berth('rollouts', 'show', 'sensor')).toContain(
    'only 0 of the 1 devices that take part are in sync, and the others will not be',
  );
  expect((await twinOf(LAB, '$edgeAgent'))?.desired).toMatchObject({
    modules: { tempSensor: { settings: { image: `${SENSOR}:1.6` } } },
  });
  // The second stage never began: its device has had two manifests, that of the sensor and that of the interval.
  expect(await runs(OTHER, `${SENSOR}:1.6`)).toBe(true);
  expect((await berth('edge', 'history', OTHER)).match(/^20/gm)).toHaveLength(2);
}, 240_000);
