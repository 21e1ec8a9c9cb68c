import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figure, figureOf } from '../measure.ts';
import { berthApp, emptyApp, hostApp } from './hosted-app.ts';

const DIST = 'dist';
/** Nothing listens there, so that the state tables take no time of other processes. */
const NO_STATE =
  'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/devstoreaccount1;';

/**
 * From the start of the process to the first allocation, as CPU time of the whole process, next to an app with one empty function,
 * in Berth's own function host. Linux only, because it reads `/proc`. Needs `npm run build`.
 *
 * @param progress called before each start
 */
export async function coldStart(rounds: number, progress: (text: string) => void): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  try {
    const [berth, empty] = [berthApp(join(folder, 'berth'), DIST), await emptyApp(join(folder, 'empty'))];
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      progress(`cold start, round ${round + 1} of ${rounds}`);
      const base = await firstAnswerMs(empty);
      ratios.push((await firstAnswerMs(berth)) / base);
    }
    const what = 'process start to first allocation / to first answer of an empty app';
    return figureOf({ name: 'cold-start', what, goal: 1.2 }, ratios, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function firstAnswerMs(app: string): Promise<number> {
  const host = await hostApp({ app, storage: NO_STATE, dist: DIST });
  try {
    await host.allocate('sim-0001');
    return host.cpuMs();
  } finally {
    await host.stop();
  }
}
