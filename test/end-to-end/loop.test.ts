import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { isAlive, type LocalRun, runLocally } from './local-run.ts';

const RESULT = z.object({
  devices: z.number(),
  hubs: z.array(z.object({ host: z.string(), weight: z.number(), devices: z.number() })),
  twins: z.object({
    inSync: z.number(),
    pending: z.number(),
    drifted: z.number(),
    rejected: z.number(),
    contested: z.number(),
    suspended: z.number(),
    unknown: z.number(),
  }),
  events: z.number(),
  corrections: z.number(),
  hubOps: z.object({
    twinReads: z.number(),
    twinWrites: z.number(),
    queries: z.number(),
    identityOps: z.number(),
  }),
  seconds: z.number(),
});
const PROCESSES = z.array(
  z.object({ name: z.string(), pid: z.number().nullable(), running: z.boolean(), restarts: z.number() }),
);

const DEVICES = 12;
/** Every third one, and the one that rejects its correction. */
const LOW = 5;

let bundles: Bundles;
let state: string;
const runs: LocalRun[] = [];
beforeAll(async () => {
  bundles = await copyBundles();
  state = temporaryFolder('loop');
});
afterAll(() => {
  for (const { process } of runs) process.kill('SIGKILL');
  bundles.remove();
});

function start(...args: readonly string[]): LocalRun {
  const run = runLocally(bundles.directory, [
    '--once',
    '--json',
    '--devices',
    String(DEVICES),
    '--state',
    state,
    ...args,
  ]);
  runs.push(run);
  return run;
}

async function resultOf(run: LocalRun): Promise<z.output<typeof RESULT>> {
  const { code, stdout } = await run.ended;
  if (code !== 0) throw new Error(`exit code ${code}:\n${run.said()}\n${functionsLog()}`);
  return RESULT.strict().parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
}

const functionsLog = () => readFileSync(join(state, 'logs', 'functions.log'), 'utf8').slice(-5_000);
const hostProcess = async (control: string) => {
  const processes = PROCESSES.parse(await (await fetch(`${control}/processes`)).json());
  return processes.find(({ name }) => name === 'function host');
};

describe('the main job, with Microsoft’s device SDKs, over real TLS, MQTT, AMQP and HTTP', () => {
  test('a device registers, gets its hub, and its twin is brought in sync', async () => {
    const result = await resultOf(start());

    expect(result).toMatchObject({
      devices: DEVICES,
      twins: {
        inSync: DEVICES - 1,
        rejected: 1,
        pending: 0,
        drifted: 0,
        contested: 0,
        suspended: 0,
        unknown: 0,
      },
      corrections: LOW,
      // Every creation was seen, so no twin was read. The hubs were empty at their first audit, so it needed no query.
      hubOps: { twinReads: 0, twinWrites: LOW, queries: 0 },
    });
    expect(result.hubs.reduce((sum, { devices }) => sum + devices, 0)).toBe(DEVICES);
    expect(result.events).toBeGreaterThan(3 * DEVICES);
  }, 150_000);

  test('after a second run on the same state, devices keep their hubs, and nothing is reset or corrected again', async () => {
    const result = await resultOf(start());

    expect(result).toMatchObject({
      devices: DEVICES,
      twins: { inSync: DEVICES - 1, rejected: 1 },
      corrections: 0,
      hubOps: { twinReads: 0 },
    });
    const log = readFileSync(join(state, 'logs', 'functions.log'), 'utf8');
    expect(log.match(/"how":"placed"/g)).toHaveLength(DEVICES);
    expect(log.match(/"how":"stayed"/g)).toHaveLength(DEVICES);
  }, 150_000);

  test('every twin gets in sync although the function host is killed and restarted during the run', async () => {
    const run = start('--fresh');
    const control = await run.says(/control API (http:\S+)\)/);
    await run.says(/the functions (run)/);
    // Killed when some devices have registered and others have not: a longer pause could miss that moment.
    for (;;) {
      const registrations = (await (await fetch(`${control}/registrations`)).json()) as unknown[];
      if (registrations.length >= DEVICES / 3) break;
      await delay(20);
    }
    const before = await hostProcess(control);
    process.kill(before?.pid ?? 0, 'SIGKILL');
    await run.says(/The function host (ended) \(SIGKILL\)/);

    const result = await resultOf(run);

    expect(result.twins).toMatchObject({ inSync: DEVICES - 1, rejected: 1 });
    expect(result.corrections).toBeGreaterThanOrEqual(LOW);
    expect(isAlive(before?.pid ?? 0)).toBe(false);
  }, 180_000);
});

test('a run that cannot close in time reports the reason and fails', async () => {
  const run = runLocally(bundles.directory, [
    '--once',
    '--timeout',
    '1',
    '--devices',
    '3',
    '--state',
    join(state, 'late'),
  ]);
  runs.push(run);

  expect((await run.ended).code).toBe(1);
  expect(run.said()).toMatch(/The loop did not close within 1 s: .*devices have not registered/);
});
