// Bundles the app and the local stack: `node scripts/build/build.mjs [--out FOLDER]`. The default folder is dist/.
// There is no top-level await, so that an old Node.js shows the message below and not a syntax error.

async function main() {
  const { copyFileSync, rmSync } = await import('node:fs');
  const { join } = await import('node:path');
  const { build } = await import('esbuild');
  const { bundleOptions } = await import('./bundle.mjs');
  const { buildCommand, PROGRAMS } = await import('./programs.mjs');
  const { buildConsole } = await import('./console.mjs');

  const at = process.argv.indexOf('--out');
  const outdir = at === -1 ? 'dist' : process.argv[at + 1];
  rmSync(outdir, { recursive: true, force: true });

  const common = { ...bundleOptions(new Date().toISOString()), outdir };
  await Promise.all([
    ...[PROGRAMS.functions, PROGRAMS.local].map((programs) => build({ ...common, ...programs })),
    buildConsole(join(outdir, 'console')),
    buildCommand(common),
  ]);
  // What the function `openApi` answers.
  copyFileSync('schemas/openapi.json', join(outdir, 'openapi.json'));
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
