// `npm run test:func`: runs the loop of `npm start -- --once` with Azure Functions Core Tools instead of Berth's own function
// host: registers simulated devices, and ends with 0 when each has its hub and its twin in sync. It uses the ports of
// local.settings.json, because both sides read this file, so stop `npm start` first. FUNC is the path of func.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Lines of func that an error shows. */
const LAST_LINES = 60;
/** The host drains its batches before it ends. */
const STOP_MS = 30_000;

process.chdir(resolve(import.meta.dirname, '..'));
const func = process.env.FUNC || 'func';
const { error, status } = spawnSync(func, ['--version'], { stdio: 'ignore' });
if (error !== undefined || status !== 0) {
  console.error(
    `"${func}" is missing: run npm install --global azure-functions-core-tools@4, or set FUNC to the path of func.`,
  );
  process.exit(1);
}

const build = spawnSync(process.execPath, ['scripts/build/build.mjs'], { stdio: 'inherit' });
if (build.status !== 0) process.exit(1);
const state = mkdtempSync(join(tmpdir(), 'berth-func-'));
const args = ['--without-functions', '--once', '--json', '--devices', '12', '--timeout', '300'];
const stack = spawn(process.execPath, ['dist/local.cjs', ...args, '--state', state], { stdio: 'inherit' });
// A process group of its own, since the npm package starts the host as a child of a script.
const host = spawn(func, ['start', '--port', '7071'], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
const lines = [];
for (const stream of [host.stdout, host.stderr]) {
  stream.setEncoding('utf8').on('data', (text) => {
    lines.push(...text.split('\n'));
    lines.splice(0, lines.length - LAST_LINES);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stack.kill('SIGINT'));

const hostEnded = once(host, 'exit').then(([code]) => ({
  code: 1,
  why: `func ended with ${code} before the loop`,
}));
const stackEnded = once(stack, 'exit').then(([code]) => ({
  code: code ?? 1,
  why: `the stack ended with ${code}`,
}));
const { code, why } = await Promise.race([hostEnded, stackEnded]);
if (stack.exitCode === null) stack.kill('SIGINT');
await stackEnded;
await stop();
rmSync(state, { recursive: true, force: true });
if (code !== 0) console.error(`${lines.join('\n')}\n${why}. These are the last lines of func.`);
process.exit(code);

/** Stops func with SIGINT: the host ignores SIGTERM (azure-functions-core-tools #3074). */
async function stop() {
  if (host.exitCode !== null || host.signalCode !== null) return;
  process.kill(-host.pid, 'SIGINT');
  await Promise.race([hostEnded, delay(STOP_MS, undefined, { ref: false })]);
  if (host.exitCode === null && host.signalCode === null) process.kill(-host.pid, 'SIGKILL');
}
