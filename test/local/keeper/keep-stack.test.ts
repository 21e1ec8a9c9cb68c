import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { keepStack, restartArguments } from '../../../local/keeper/keep-stack.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const PORTS = {
  control: 1,
  functions: 2,
  rest: 3,
  https: 4,
  mqtt: 5,
  amqp: 6,
  amqps: 7,
  blob: 8,
  queue: 9,
  table: 10,
};

/** Runs a stack that does what a script says. `run` is the number of its run, from 0. */
async function keeps(script: string) {
  const folder = temporaryFolder('keeper');
  const file = join(folder, 'stack.cjs');
  const runs = join(folder, 'runs');
  const ready = `process.send({ type: 'ready', ports: ${JSON.stringify(PORTS)} })`;
  writeFileSync(
    file,
    `const run = Number(process.env.BERTH_LOCAL_RESTARTS);
     require('node:fs').appendFileSync(${JSON.stringify(runs)}, process.argv.slice(2).join(' ') + '\\n');
     const up = (then) => { ${ready}; setTimeout(then, 50); };
     ${script}`,
  );
  const warnings: string[] = [];
  const code = await keepStack({
    file,
    args: ['--plain', '--fresh', '--free-ports'],
    warn: (message) => warnings.push(message),
    firstWaitMs: 1,
  });
  return { code, warnings, runs: readFileSync(runs, 'utf8').trimEnd().split('\n') };
}

describe('the keeper of the stack', () => {
  test('restarts a stack that was killed, with its state and its ports', async () => {
    const { code, runs, warnings } = await keeps(
      "up(() => run === 0 ? process.kill(process.pid, 'SIGKILL') : process.exit(0));",
    );

    expect(code).toBe(0);
    expect(runs[0]).toBe('--plain --fresh --free-ports');
    expect(runs[1]).toMatch(/^--plain --port control=1 .*--port table=10$/);
    expect(warnings).toEqual([expect.stringMatching(/^The local stack ended \(SIGKILL\) and restarts in /)]);
  });

  test('restarts a stack with an error in its code, and a restart that fails at its start', async () => {
    const { code, runs } = await keeps('up(() => process.exit([70, 1, 1, 0][run]));');

    expect([code, runs.length]).toEqual([0, 4]);
  });

  test('does not restart a stack that ends by itself, or that never was up', async () => {
    const ended = await keeps('up(() => process.exit(1));');
    const never = await keeps('process.exit(70);');

    expect([ended.code, ended.runs.length]).toEqual([1, 1]);
    expect([never.code, never.runs.length]).toEqual([70, 1]);
  });

  test('gives up after eight restarts that end at once', async () => {
    const { code, runs, warnings } = await keeps('up(() => process.exit(70));');

    expect([code, runs.length]).toEqual([70, 9]);
    expect(warnings.at(-1)).toContain('cannot be restarted');
  });
});

test('a restart does not delete the state, and its ports come after those of the command line', () => {
  expect(
    restartArguments(['--fresh', '--port', 'mqtt=0'], { type: 'ready', ports: PORTS }).slice(0, 4),
  ).toEqual(['--port', 'mqtt=0', '--port', 'control=1']);
});
