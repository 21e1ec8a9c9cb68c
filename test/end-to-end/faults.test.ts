import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { type LocalRun, runLocally } from './local-run.ts';

const DEVICES = 9;
/**
 * Devices whose batteries stay full. Only their owned properties are edited: the policy for low batteries waits a minute
 * after a write before it corrects the value again.
 */
const FULL: readonly string[] = ['sim-0003', 'sim-0005', 'sim-0006', 'sim-0008', 'sim-0009'];
/** How long the faults last. */
const FAULTS_MS = 6_000;
/** Seed of the faults: the same for each run, unless BERTH_FAULTS_SEED names another. */
const SEED = Number(process.env.BERTH_FAULTS_SEED || 20_261_128);

let bundles: Bundles;
let state: string;
let run: LocalRun | undefined;
beforeAll(async () => {
  bundles = await copyBundles();
  state = temporaryFolder('faults');
});
afterAll(async () => {
  run?.process.kill('SIGKILL');
  await run?.ended;
  bundles.remove();
});

/**
 * `--once` checks the result: it exits with 0 when no event is unread, each twin is in sync or rejected as its device
 * behaves, and the snapshots equal the twins of the hubs.
 */
test('every twin gets in sync in spite of faults of every kind and a killed function host', async () => {
  run = runLocally(bundles.directory, [
    ...['--once', '--json', '--fresh', '--timeout', '150'],
    ...['--devices', String(DEVICES), '--state', state],
  ]);
  const control = await run.says(/control API (http:\S+)\)/);
  await call('PUT', `${control}/faults`, {
    seed: SEED,
    latencyMs: 50,
    errorRate: 0.15,
    throttleRate: 0.05,
    timeoutRate: 0.03,
    duplicateRate: 0.2,
    replayRate: 0.2,
    coalesceRate: 0.2,
  });
  await run.says(/the functions (run)/);
  const edited = new Set<string>();
  await edit(control, edited, FAULTS_MS / 2);
  const before = await hostProcess(control);
  process.kill(before?.pid ?? 0, 'SIGKILL');
  await run.says(/The function host (ended) \(SIGKILL\)/);
  await edit(control, edited, FAULTS_MS / 2);
  const struck = await call('GET', `${control}/faults`);
  await call('DELETE', `${control}/faults`);

  const { code, stdout } = await run.ended;
  const facts = `seed ${SEED}\n${JSON.stringify(struck)}\n${run.said()}\n${functionsLog()}`;
  if (code !== 0) throw new Error(`exit code ${code} with ${facts}`);
  const { twins, devices } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    readonly devices: number;
    readonly twins: Readonly<Record<string, number>>;
  };
  expect([`seed ${SEED}`, devices, twins]).toMatchObject([
    `seed ${SEED}`,
    DEVICES,
    // All states, so that a failure names the state of the others.
    { inSync: DEVICES - 1, rejected: 1, pending: 0, drifted: 0, contested: 0, suspended: 0, unknown: 0 },
  ]);
  expect(`seed ${SEED}: ${deadLetters()}`).toBe(`seed ${SEED}: 0`);
}, 240_000);

/**
 * Writes to the twins for some time, as another writer does: tags repeatedly, and once in some twins a property that a
 * policy owns. More such writes would make it a contested property. The edits also keep `--once` from ending early.
 */
async function edit(control: string, edited: Set<string>, ms: number): Promise<void> {
  const until = Date.now() + ms;
  while (Date.now() < until) {
    const hubs = (await call('GET', `${control}/hubs`)) as { readonly host: string }[];
    for (const { host } of hubs) {
      for (const id of (await call('GET', `${control}/hubs/${host}/devices`)) as string[]) {
        const isOwned = FULL.includes(id) && !edited.has(id);
        edited.add(id);
        await call('PATCH', `${control}/hubs/${host}/devices/${id}`, {
          tags: { edited: Date.now() },
          ...(isOwned && { properties: { desired: { sendDataInterval: 7_000 } } }),
        });
      }
    }
    await delay(500);
  }
}

async function call(method: string, url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

async function hostProcess(control: string): Promise<{ readonly pid: number } | undefined> {
  const processes = (await call('GET', `${control}/processes`)) as {
    readonly name: string;
    readonly pid: number;
  }[];
  return processes.find(({ name }) => name === 'function host');
}

const functionsLog = () => readFileSync(join(state, 'logs', 'functions.log'), 'utf8').slice(-8_000);

/** Number of dead letters in the log of the function host. */
function deadLetters(): number {
  const log = readFileSync(join(state, 'logs', 'functions.log'), 'utf8');
  return [...log.matchAll(/"deadLetters":(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
