import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { contentsOf } from '../../local/state/contents.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { isAlive, type LocalRun, runLocally } from './local-run.ts';

const PROCESSES = z.array(
  z.object({ name: z.string(), pid: z.number().nullable(), running: z.boolean(), restarts: z.number() }),
);
const STACK = z.object({ ports: z.object({ table: z.number() }) });
type Process = z.output<typeof PROCESSES>[number];

let bundles: Bundles;
let root: string;
const runs: LocalRun[] = [];
beforeAll(async () => {
  bundles = await copyBundles();
  root = temporaryFolder('stack');
});
afterAll(() => {
  for (const { process } of runs) process.kill('SIGKILL');
  bundles.remove();
});

function start(state: string, ...args: readonly string[]): LocalRun {
  const run = runLocally(bundles.directory, ['--devices', '2', '--state', state, ...args]);
  runs.push(run);
  return run;
}

const untilGone = (pids: readonly number[]) => eventually(() => !pids.some(isAlive));

/** The processes of a stack, when all four of them run. */
async function pidsOf(control: string): Promise<readonly number[]> {
  const processes = await eventually(
    () => ask(`${control}/processes`, PROCESSES),
    (shown) => shown.length === 4 && shown.every(({ running }) => running),
  );
  return processes.map(({ pid }) => pid ?? 0);
}

async function ask<Shape extends z.ZodType>(url: string, shape: Shape): Promise<z.output<Shape>> {
  return shape.parse(await (await fetch(url)).json());
}

async function shown(control: string, name: string): Promise<Process> {
  const found = (await ask(`${control}/processes`, PROCESSES)).find((process) => process.name === name);
  if (found === undefined) throw new Error(`the control API shows no process ${name}`);
  return found;
}

/** Waits until Azurite is shown so; answers what is shown. */
const azuriteOnceIt = (control: string, is: (azurite: Process) => boolean): Promise<Process> =>
  eventually(() => shown(control, 'azurite'), is);

/** Listens on a port as soon as it is free. */
function takePort(port: number): Promise<Server> {
  return eventually(async () => {
    const server = createServer().listen(port, '127.0.0.1');
    return once(server, 'listening').then(
      () => server,
      () => undefined,
    );
  }) as Promise<Server>;
}

describe('a stack and its state folder', () => {
  /** One stack for these tests, because each start takes seconds of CPU. The later ones need it stopped. */
  let run: LocalRun;
  let control: string;
  let state: string;
  beforeAll(async () => {
    state = join(root, 'killed');
    run = start(state);
    control = await run.says(/control API (http:\S+)\)/);
    await run.says(/the functions (run)/);
  });

  test('a killed Azurite is started again, and Berth continues', async () => {
    const before = await azuriteOnceIt(control, ({ running }) => running);
    expect(before).toMatchObject({ restarts: 0 });

    process.kill(before.pid ?? 0, 'SIGKILL');

    const after = await azuriteOnceIt(control, ({ running, pid }) => running && pid !== before.pid);
    expect(after).toMatchObject({ restarts: 1 });
    await run.says(/(restarts azurite 1 time)/);
    await run.says(/twins {4}(\d+ in sync.*)/);
  });

  test('Azurite is shown as down with a reason while its port is in use, and starts when the port is free', async () => {
    const { ports } = await ask(`${control}/stack`, STACK);
    const before = await azuriteOnceIt(control, ({ running }) => running);
    const supervisor = (await shown(control, 'supervisor')).pid ?? 0;

    // Else it starts Azurite again after a second, and a busy machine may take longer until the port is taken.
    process.kill(supervisor, 'SIGSTOP');
    process.kill(before.pid ?? 0, 'SIGKILL');
    const other = await takePort(ports.table);
    process.kill(supervisor, 'SIGCONT');

    await run.says(
      new RegExp(`Azurite cannot start: (Port ${ports.table}) for Azurite \\(table\\) is in use`),
    );
    expect(await shown(control, 'azurite')).toEqual({ ...before, running: false, pid: null });
    other.close();
    expect(await azuriteOnceIt(control, ({ running }) => running)).toMatchObject({
      restarts: before.restarts + 1,
    });
    expect((await ask(`${control}/stack`, STACK)).ports).toEqual(ports);
  });

  test('Ctrl-C ends every process', async () => {
    const pids = await pidsOf(control);

    run.process.kill('SIGINT');

    expect((await run.ended).code).toBe(0);
    await untilGone(pids);
  });

  test('the state folder contains after a run only files that --fresh deletes', () => {
    const contents = contentsOf(state);

    expect(contents.length).toBeGreaterThan(15);
    expect(contents.filter(({ kind, expected }) => kind !== expected)).toEqual([]);
  });

  test('a damaged state file ends the start with an error, and --fresh starts again without it', async () => {
    const file = join(state, 'batteries.jsonl');
    writeFileSync(file, 'garbage\n');
    writeFileSync(join(state, 'notes.txt'), 'mine');

    const broken = start(state, '--once');
    expect((await broken.ended).code).toBe(1);
    expect(broken.said()).toContain(`${file} is damaged: line 1 is not JSON.`);
    expect(broken.said()).toContain('[BERTH_LOCAL_STATE_DAMAGED]');
    expect(broken.said()).not.toMatch(/^ +at /m);
    expect(readFileSync(file, 'utf8')).toBe('garbage\n');

    const fresh = start(state, '--once', '--fresh', '--timeout', '60');
    expect((await fresh.ended).code).toBe(0);
    expect(fresh.said()).toContain('because Berth did not make it: notes.txt');
    expect(existsSync(join(state, 'notes.txt'))).toBe(true);
  });
});

describe('the live view', () => {
  /** One stack for both tests. The second one kills it. */
  let run: LocalRun;
  let control: string;
  beforeAll(async () => {
    run = start(join(root, 'live'), '--devices', '3');
    control = await run.says(/control API (http:\S+)\)/);
  });

  test('shows why a device is on its hub, its telemetry, and what a saved fleet file would change', async () => {
    await run.says(/(sim-0003 {2}→ sea: 5 ms \(next: eus 223 ms\))/);
    await run.says(/(sim-0001 {2}→ weu: 12 ms .*, rule eu-residency)/);
    await run.says(/(sent {5}[1-9]\d* telemetry message)/);
    const file = join(bundles.directory, 'fleet.json');
    const before = readFileSync(file, 'utf8');
    const fleet = JSON.parse(before) as { readonly hubs: readonly object[] };
    const hubs = fleet.hubs.map((hub, index) => (index === 0 ? { ...hub, state: 'draining' } : hub));

    writeFileSync(file, JSON.stringify({ ...fleet, hubs }));
    try {
      await run.says(/(fleet\.json: 1 device would move, 1 twin would be written: restart to use it)/);
    } finally {
      writeFileSync(file, before);
    }

    // Telemetry does not go to the Event Hub of the functions.
    const { unread } = await ask(`${control}/events`, z.object({ unread: z.number() }));
    expect(unread).toBeLessThan(20);
  });

  test('ends with its supervisor, even if that is killed', async () => {
    const pids = await pidsOf(control);

    run.process.kill('SIGKILL');

    await untilGone(pids);
  });
});

describe('the start of a stack', () => {
  test.each([
    ['is a file', 'file', 'BERTH_LOCAL_STATE_UNUSABLE'],
    ['lies below a file', 'file/deep/er', 'BERTH_LOCAL_STATE_UNUSABLE'],
    ...(process.platform === 'linux'
      ? [['cannot be made', '/proc/berth', 'BERTH_LOCAL_STATE_UNUSABLE']]
      : []),
    ['holds files that Berth did not write', 'others', 'BERTH_LOCAL_STATE_FOREIGN'],
    ['contains the project', '..', 'BERTH_LOCAL_STATE_FOREIGN'],
  ])(
    'a state folder that %s ends the start within seconds with a coded error, and is not changed',
    async (_, folder, code) => {
      mkdirSync(join(root, 'others'), { recursive: true });
      writeFileSync(join(root, 'others', 'notes.txt'), 'mine');
      writeFileSync(join(root, 'file'), 'mine');
      const path = folder.startsWith('file') || folder === 'others' ? join(root, folder) : folder;
      const run = start(path, '--fresh');

      const { code: exitCode } = await run.ended;

      expect(exitCode).toBe(1);
      expect(run.said()).toContain(`[${code}]`);
      expect(run.said().trim().split('\n')).toHaveLength(1);
      expect(readFileSync(join(root, 'file'), 'utf8')).toBe('mine');
      expect(readdirSync(join(root, 'others'))).toEqual(['notes.txt']);
    },
  );
});
