import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAzurite } from '../../test/support/azurite.ts';
import { type Figure, figureOf } from '../measure.ts';
import { berthApp, emptyApp, type HostedApp, hostApp } from './hosted-app.ts';

/** How the webhook and an empty function are loaded, in turn. */
export interface HostLoad {
  readonly rounds: number;
  /** Requests of a round. */
  readonly requests: number;
  /** Requests that wait for their answer at the same time. */
  readonly atOnce: number;
  /** What `npm run build` has made. */
  readonly dist: string;
}

export const FULL_LOAD: HostLoad = { rounds: 15, requests: 1_500, atOnce: 16, dist: 'dist' };

/** How long answers took, from sending to the whole answer, in milliseconds of wall time. */
export interface AnswerTimes {
  readonly app: string;
  readonly requestsASecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/**
 * Requests to the webhook in Berth's own function host, with Azurite behind it, which stores the receipts. The figure is the CPU time of
 * the host's process for a request, next to the same requests to an empty function in the same host. Linux only. Needs `npm run build`.
 *
 * @param progress called before each round
 */
export async function hostLoad(
  { rounds, requests, atOnce, dist }: HostLoad,
  progress: (text: string) => void,
): Promise<{ readonly figure: Figure; readonly times: readonly AnswerTimes[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  const azurite = await startAzurite();
  const hosts: HostedApp[] = [];
  try {
    for (const app of [berthApp(join(folder, 'berth'), dist), await emptyApp(join(folder, 'empty'))])
      hosts.push(await hostApp({ app, storage: azurite.connectionString, dist }));
    const [berth, empty] = hosts as [HostedApp, HostedApp];
    const taken: { readonly berth: number[]; readonly empty: number[] } = { berth: [], empty: [] };
    const seconds = { berth: 0, empty: 0 };
    const ratios: number[] = [];
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      progress(`requests through the function host, round ${round} of ${rounds}`);
      const base = await load(empty, `e${round}`, requests, atOnce);
      const own = await load(berth, `b${round}`, requests, atOnce);
      if (round === 0) continue;
      ratios.push(own.cpuMs / base.cpuMs);
      taken.berth.push(...own.ms);
      taken.empty.push(...base.ms);
      seconds.berth += own.seconds;
      seconds.empty += base.seconds;
    }
    const what = `CPU of a request to the webhook, ${atOnce} at once, with receipt / to an empty function`;
    return {
      figure: figureOf({ name: 'host-load', what }, ratios, 0),
      times: (['berth', 'empty'] as const).map((app) => timesOf(app, taken[app], seconds[app])),
    };
  } finally {
    for (const host of hosts) await host.stop();
    await azurite.close();
    rmSync(folder, { recursive: true });
  }
}

async function load(host: HostedApp, prefix: string, requests: number, atOnce: number) {
  const ms: number[] = [];
  const [began, cpuBefore] = [performance.now(), host.cpuMs()];
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < requests) {
        next += 1;
        const from = performance.now();
        await host.allocate(`${prefix}-${next}`);
        ms.push(performance.now() - from);
      }
    }),
  );
  return { ms, cpuMs: host.cpuMs() - cpuBefore, seconds: (performance.now() - began) / 1_000 };
}

function timesOf(app: string, ms: readonly number[], seconds: number): AnswerTimes {
  const sorted = [...ms].sort((one, other) => one - other);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { app, requestsASecond: ms.length / seconds, p50: at(0.5), p99: at(0.99), longest: at(1) };
}
