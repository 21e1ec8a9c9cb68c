// Bundles the app and the local stack: `node scripts/build/build.mjs [--out FOLDER] [--if-changed] [--only azurite]`. The default
// folder is dist/. With --if-changed, it does nothing if a build would give the same as the last one. With --only azurite, it makes
// azurite.cjs alone.
// For the npm package: --published leaves out the source maps of the programs and the text of the sources; --version and --built give
// its version and its build time.
// There is no top-level await, so that an old Node.js shows the message below and not a syntax error.

async function main() {
  const { copyFileSync, readFileSync, rmSync, writeFileSync } = await import('node:fs');
  const { join } = await import('node:path');
  const { parseArgs } = await import('node:util');
  const { build } = await import('esbuild');
  const { authorToCome, bundleOptions, programOptions } = await import('./bundle.mjs');
  const { functionsBuild } = await import('./functions.mjs');
  const { buildCommand, PROGRAMS } = await import('./programs.mjs');
  const { buildConsole } = await import('./console.mjs');
  const { inputsDigest, isBuilt, markBuilt } = await import('./inputs.mjs');
  const { projectFiles } = await import('../pack/project-files.mjs');

  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'dist' },
      published: { type: 'boolean', default: false },
      version: { type: 'string' },
      'if-changed': { type: 'boolean', default: false },
      only: { type: 'string' },
      built: { type: 'string', default: new Date().toISOString() },
    },
  });
  const outdir = values.out;
  const digest = inputsDigest('.');
  if (values['if-changed'] && isBuilt(outdir, digest)) return;
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  const version = values.version ?? manifest.version;
  rmSync(outdir, { recursive: true, force: true });

  const author = values.published ? authorToCome(values.built) : '';
  const common = { ...bundleOptions(values.built, author), outdir };
  // Stack traces of a published package need only names and lines.
  const programs = programOptions(values.published ? { ...common, sourcemap: false } : common);
  if (values.only === 'azurite') {
    await build({ ...common, ...PROGRAMS.azurite });
    return;
  }
  await Promise.all([
    build(functionsBuild({ outdir, sourcesContent: !values.published }, values.built, author)),
    build({ ...programs, ...PROGRAMS.local }),
    build({ ...common, ...PROGRAMS.azurite }),
    buildConsole(join(outdir, 'console')),
    buildCommand(programs, version),
  ]);
  // What the function `openApi` answers.
  copyFileSync('schemas/openapi.json', join(outdir, 'openapi.json'));
  // What `berth init` writes.
  writeFileSync(join(outdir, 'project.json'), JSON.stringify(projectFiles('.', { ...manifest, version })));
  markBuilt(outdir, digest);
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
