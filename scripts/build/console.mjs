// Bundles the console, a page for the browser: static files without anything secret.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** @param {string} outdir the folder that gets `index.html`, `console.js`, `console.css` and `icon.svg` */
export async function buildConsole(outdir) {
  mkdirSync(outdir, { recursive: true });
  for (const bundle of consoleBundles(outdir)) await build(bundle);
  for (const file of ['index.html', 'icon.svg']) copyFileSync(join('console', file), join(outdir, file));
}

/**
 * The options of esbuild for the script and for the styles.
 *
 * @param {string} outdir
 */
export function consoleBundles(outdir) {
  const { coordinates } = JSON.parse(readFileSync('src/regions/azure-regions.json', 'utf8'));
  return [
    {
      entryPoints: { console: 'console/main.tsx' },
      outdir,
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: ['chrome111', 'edge111', 'firefox114', 'safari16.4'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      // The licenses of Preact and uPlot (both MIT) stay with them.
      legalComments: 'eof',
      logLevel: 'warning',
      define: { __BERTH_REGION_COORDINATES__: JSON.stringify(coordinates) },
    },
    {
      entryPoints: { console: 'console/style/console.css' },
      outdir,
      bundle: true,
      minify: true,
      logLevel: 'warning',
    },
  ];
}
