// The programs that a build makes, for build.mjs and dev.mjs.

import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { AZURITE } from './azurite.mjs';

/**
 * The options of esbuild for each group of programs, without those of `programOptions` and the folder. The functions have their
 * own (`functions.mjs`).
 */
export const PROGRAMS = {
  /** The local stack. */
  local: {
    entryPoints: {
      local: 'local/main.ts',
      stack: 'local/stack/main.ts',
      'function-host': 'local/function-host/main.ts',
      devices: 'local/devices/main.ts',
      device: 'local/own-device/main.ts',
      monitor: 'local/monitor/main.ts',
    },
  },
  azurite: AZURITE,
};

/**
 * The `berth` command. Its bundle contains its catalog, so that the help loads nothing else: the commands are in a bundle of their
 * own, `berth-whole.cjs`.
 *
 * @param options those of `programOptions`, with the folder as `outdir`
 * @param version what `--version` prints; default: the one of package.json
 */
export async function buildCommand(options, version = ownVersion()) {
  const catalog = join(options.outdir, 'catalog.cjs');
  await build({ ...options, entryPoints: { catalog: 'src/cli/catalog-main.ts' }, sourcemap: false });
  const json = execFileSync(process.execPath, [catalog], { encoding: 'utf8' });
  rmSync(catalog);
  const common = {
    ...options,
    // `import()` becomes `require()`. Node.js loads CommonJS through its ES module loader only after it has parsed the file for its names.
    supported: { 'dynamic-import': false },
    define: { ...options.define, __BERTH_CATALOG__: json, __BERTH_VERSION__: JSON.stringify(version) },
  };
  await build({
    ...common,
    entryPoints: { berth: 'src/cli/main.ts' },
    plugins: [apart('./whole.ts', './berth-whole.cjs')],
    banner: { js: '#!/usr/bin/env node' },
  });
  await build({
    ...common,
    entryPoints: {
      'berth-whole': 'src/cli/whole.ts',
      'what-if-worker': 'src/cli/what-if/what-if-worker.ts',
      'what-if-twins-worker': 'src/cli/what-if/what-if-twins-worker.ts',
    },
  });
  // So that `dist/berth.cjs` can be run by its name.
  chmodSync(join(options.outdir, 'berth.cjs'), 0o755);
}

/**
 * A plugin that leaves a module out of a bundle: the bundle loads another one when it needs the module.
 *
 * @param module as the source imports it.
 * @param bundle next to the bundle.
 */
function apart(module, bundle) {
  return {
    name: 'apart',
    setup: ({ onResolve }) =>
      onResolve({ filter: /.*/ }, ({ path }) =>
        path === module ? { path: bundle, external: true } : undefined,
      ),
  };
}

const ownVersion = () => JSON.parse(readFileSync('package.json', 'utf8')).version;
