// Bundles the app and the local stack: `node scripts/build/build.mjs [--out FOLDER]`. The default folder is dist/.
// There is no top-level await, so that an old Node.js shows the message below and not a syntax error.

async function main() {
  const { execFileSync } = await import('node:child_process');
  const { chmodSync, copyFileSync, readFileSync, rmSync } = await import('node:fs');
  const { join } = await import('node:path');
  const { build } = await import('esbuild');
  const { bundleOptions, FUNCTIONS } = await import('./bundle.mjs');
  const { buildConsole } = await import('./console.mjs');

  const at = process.argv.indexOf('--out');
  const outdir = at === -1 ? 'dist' : process.argv[at + 1];
  rmSync(outdir, { recursive: true, force: true });

  const common = { ...bundleOptions(new Date().toISOString()), outdir };

  await Promise.all([
    // The deployed functions.
    build({ ...common, ...FUNCTIONS }),
    // The programs for a laptop, which need node_modules.
    build({
      ...common,
      entryPoints: {
        local: 'local/main.ts',
        'function-host': 'local/function-host/main.ts',
        devices: 'local/devices/main.ts',
        device: 'local/devices/one.ts',
        azurite: 'local/azurite/main.ts',
      },
      packages: 'external',
    }),
    buildConsole(join(outdir, 'console')),
    buildCommand(common),
  ]);
  // What the function `openApi` answers.
  copyFileSync('schemas/openapi.json', join(outdir, 'openapi.json'));
  // So that `dist/berth.cjs` can be run by its name.
  chmodSync(join(outdir, 'berth.cjs'), 0o755);

  /** The `berth` command. Its bundle contains its catalog, so that the help loads nothing else. */
  async function buildCommand(options) {
    const catalog = join(outdir, 'catalog.cjs');
    await build({
      ...options,
      entryPoints: { catalog: 'src/cli/catalog-main.ts' },
      packages: 'external',
      sourcemap: false,
    });
    const json = execFileSync(process.execPath, [catalog], { encoding: 'utf8' });
    rmSync(catalog);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    await build({
      ...options,
      define: { ...options.define, __BERTH_CATALOG__: json, __BERTH_VERSION__: JSON.stringify(version) },
      entryPoints: { berth: 'src/cli/main.ts', 'what-if-worker': 'src/cli/what-if/what-if-worker.ts' },
      packages: 'external',
      banner: { js: '#!/usr/bin/env node' },
    });
  }
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Berth needs Node.js 20.19 or newer. This is Node.js ${process.versions.node}.`);
  process.exit(1);
}
main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
