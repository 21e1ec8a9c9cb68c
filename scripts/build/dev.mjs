// `npm run dev -- [flags of npm start]`: runs the local stack, and builds again when a source changes. A new build of the
// functions restarts the functions, and a new build of the local stack restarts the whole stack. The state is kept. A new build
// of the console needs no restart.

import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { context } from 'esbuild';
import { bundleOptions, programOptions } from './bundle.mjs';
import { consoleBundles } from './console.mjs';
import { functionsBuild } from './functions.mjs';
import { buildCommand, PROGRAMS } from './programs.mjs';

const OUT = 'dist';
/** One change can build several programs. */
const QUIET_MS = 300;

/**
 * Builds each group of programs now and after each change of its sources. With an error, the old bundles stay; esbuild prints
 * the error.
 *
 * @param {(name: string) => void} onBuilt called after each build without errors, except the first one
 */
async function watchPrograms(onBuilt) {
  for (const name of ['functions', ...Object.keys(PROGRAMS)]) {
    let isFirst = true;
    const report = {
      name: 'report',
      setup({ onEnd }) {
        onEnd(({ errors }) => {
          if (!isFirst && errors.length === 0) onBuilt(name);
          isFirst = false;
        });
      },
    };
    const watched = await context(
      name === 'functions'
        ? functionsBuild({ outdir: OUT, plugins: [report] }, new Date().toISOString())
        : { ...options(), ...PROGRAMS[name], plugins: [...(PROGRAMS[name].plugins ?? []), report] },
    );
    await watched.watch();
  }
  // The browser loads a new console when the page is loaded again.
  for (const bundle of consoleBundles(`${OUT}/console`)) await (await context(bundle)).watch();
}

function options() {
  return programOptions({ ...bundleOptions(new Date().toISOString()), outdir: OUT });
}

/** The process of the local stack, which can be replaced by a new one. */
class Stack {
  #child;
  #args;

  constructor(args) {
    this.#args = args;
  }

  start() {
    const child = fork(`${OUT}/local.cjs`, this.#args, { stdio: 'inherit' });
    this.#child = child;
    // The user has stopped the stack, or it cannot start. After `restart`, another process has taken its place.
    child.on('exit', (code, signal) => {
      if (this.#child === child) process.exit(signal === null ? code : 1);
    });
  }

  async restart() {
    const child = this.#child;
    this.#child = undefined;
    child.kill('SIGTERM');
    await once(child, 'exit');
    // A restart keeps the state.
    this.#args = this.#args.filter((arg) => arg !== '--fresh');
    this.start();
  }

  restartFunctions() {
    this.#child?.send('rebuilt');
  }

  stop(signal) {
    this.#child?.kill(signal);
  }
}

async function main() {
  execFileSync(process.execPath, ['scripts/build/build.mjs'], { stdio: 'inherit' });
  const stack = new Stack(process.argv.slice(2));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stack.stop(signal));
  stack.start();

  const built = new Set();
  let doing = Promise.resolve();
  let timer;
  const apply = async () => {
    const names = new Set(built);
    built.clear();
    // The command has the same sources as the functions.
    if (names.has('functions')) await buildCommand(options()).catch(() => {});
    if (names.has('local')) await stack.restart();
    else if (names.has('functions')) stack.restartFunctions();
  };
  await watchPrograms((name) => {
    built.add(name);
    clearTimeout(timer);
    timer = setTimeout(() => {
      doing = doing.then(apply);
    }, QUIET_MS);
  });
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
