import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

// Many devices register at once on the whole local stack: registrations a second, the time until their twins are in sync, and the
// memory of each process. The local DPS has Azure's throttle of 1,000 registrations a minute.
//
// npm run build, then: npm run bench:start -- [devices]

const DEVICES = Number(process.argv[2] ?? 2_000);
const EVERY_MS = 3_000;
/** Ends then, also if twins are not in sync. */
const LONGEST_MS = 15 * 60_000;

/** What was there at a time. */
interface Sample {
  readonly atMs: number;
  readonly registered: number;
  /** Devices that have been in sync once. Later, their batteries change what they must have. */
  readonly inSync: number;
}

interface DevicePage {
  readonly items: readonly { readonly deviceId: string }[];
  readonly next: string | null;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-start-'));
  const program = spawn(
    process.execPath,
    [
      join('dist', 'local.cjs'),
      '--free-ports',
      '--fresh',
      '--state',
      join(folder, 'state'),
      '--devices',
      String(DEVICES),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const control = await controlApi(program.stdout);
    const get = async <T>(path: string): Promise<T> => {
      const response = await fetch(`${control}${path}`);
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return (await response.json()) as T;
    };
    const start = Date.now();
    const samples: Sample[] = [];
    const seen = new Set<string>();
    while (Date.now() - start < LONGEST_MS) {
      const hubs = await get<readonly { readonly devices: number }[]>('/hubs');
      const registered = hubs.reduce((sum, { devices }) => sum + devices, 0);
      // The functions start after the control API.
      await noteInSync(get, seen).catch(() => {});
      const sample = { atMs: Date.now() - start, registered, inSync: seen.size };
      samples.push(sample);
      console.error(
        `  ${(sample.atMs / 1_000).toFixed(0)} s: ${registered} registered, ${sample.inSync} in sync`,
      );
      if (sample.inSync >= DEVICES) break;
      await delay(EVERY_MS);
    }
    const processes =
      await get<readonly { readonly name: string; readonly pid: number | null }[]>('/processes');
    report(samples);
    console.table(
      Object.fromEntries(processes.flatMap(({ name, pid }) => (pid === null ? [] : [[name, memory(pid)]]))),
    );
    console.log(`load ${loadavg()[0]?.toFixed(1)}; memory in MB`);
  } finally {
    program.kill('SIGINT');
    await new Promise((resolve) => program.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The address that the stack prints when it is ready. */
function controlApi(output: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    output.on('data', (chunk) => {
      text += chunk;
      const found = /control API (http:[^\s)]+)/i.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
}

async function noteInSync(get: <T>(path: string) => Promise<T>, seen: Set<string>): Promise<void> {
  let after: string | null = null;
  do {
    const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const page: DevicePage = await get(`/api/devices?status=inSync&top=1000${query}`);
    for (const { deviceId } of page.items) seen.add(deviceId);
    after = page.next;
  } while (after !== null);
}

function report(samples: readonly Sample[]): void {
  const reached = (what: 'registered' | 'inSync', part: number) =>
    samples.find((sample) => sample[what] >= part * DEVICES)?.atMs;
  const seconds = (ms: number | undefined) => (ms === undefined ? 'not reached' : (ms / 1_000).toFixed(0));
  const parts = [0.5, 0.95, 0.99, 1];
  console.table(
    Object.fromEntries(
      parts.map((part) => [
        `${100 * part} %`,
        {
          'registered after s': seconds(reached('registered', part)),
          'in sync after s': seconds(reached('inSync', part)),
        },
      ]),
    ),
  );
  const all = reached('registered', 1);
  if (all !== undefined)
    console.log(`${(DEVICES / (all / 1_000)).toFixed(1)} registrations a second (DPS allows 16.7)`);
}

function memory(pid: number): number {
  return Math.round(
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024,
  );
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
