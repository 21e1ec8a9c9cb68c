import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundles, copyBundles } from '../end-to-end/bundles.ts';
import { type LocalRun, runLocally } from '../end-to-end/local-run.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** The local stack as `npm start` runs it, with simulated devices. */
export interface RunningStack {
  /** The control API, which serves the console. */
  readonly control: string;
  /** The functions, which serve the console as in Azure. */
  readonly functions: string;
  get(route: string): Promise<unknown>;
  /** Asks until an answer is as it should be. */
  until<Answer>(route: string, isThere: (answer: Answer) => boolean): Promise<Answer>;
  stop(): Promise<void>;
}

interface Stack {
  readonly ports: { readonly functions: number };
}

interface FleetCounts {
  readonly twins: Readonly<Record<string, number>>;
}

/** A fleet file, as far as a test changes it. */
export interface FleetFile {
  readonly twins: { readonly policies: readonly { readonly name: string }[] };
  readonly edge?: object;
}

/**
 * Starts it on free ports, and waits until the twins of its devices are counted.
 *
 * @param changed makes the fleet file from the one of the repository
 */
export async function startStack(
  devices: number,
  changed: (fleet: FleetFile) => FleetFile = (fleet) => fleet,
): Promise<RunningStack> {
  const bundles: Bundles = await copyBundles();
  const file = join(bundles.directory, 'fleet.json');
  writeFileSync(file, JSON.stringify(changed(JSON.parse(readFileSync(file, 'utf8')) as FleetFile)));
  const run: LocalRun = runLocally(bundles.directory, [
    '--devices',
    String(devices),
    '--edge-devices',
    '1',
    '--state',
    temporaryFolder('console'),
  ]);
  const control = await run.says(/control API (http:\S+)\)/);
  const get = async (route: string): Promise<unknown> => (await fetch(`${control}/${route}`)).json();
  const until = async <Answer>(route: string, isThere: (answer: Answer) => boolean): Promise<Answer> =>
    (await eventually(
      () => get(route).catch(() => undefined) as Promise<Answer | undefined>,
      (answer) => answer !== undefined && isThere(answer),
      120_000,
    )) as Answer;
  const { ports } = (await get('stack')) as Stack;
  await until<Partial<FleetCounts>>('api/fleet', ({ twins = {} }) => {
    const counted = Object.values(twins).reduce((sum, count) => sum + count, 0);
    return counted >= devices;
  });
  return {
    control,
    functions: `http://127.0.0.1:${ports.functions}`,
    get,
    until,
    async stop() {
      run.process.kill('SIGINT');
      await run.ended;
      bundles.remove();
    },
  };
}
