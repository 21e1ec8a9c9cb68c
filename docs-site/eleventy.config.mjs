// The site of the docs. `npm run build` writes it to `site/`. It needs no network, and works from a folder as from a server.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtSite } from './build/site.mjs';

const ROOT = '..';

/** @param {import('@11ty/eleventy/UserConfig').default} eleventy */
export default function configure(eleventy) {
  const site = () => builtSite(ROOT, repository(process.env));
  eleventy.addGlobalData('documents', () => site().documents);
  eleventy.addPassthroughCopy({
    assets: 'assets',
    '../console/icon.svg': 'assets/icon.svg',
    'node_modules/minisearch/dist/umd/index.js': 'assets/minisearch.js',
    ...Object.fromEntries(site().files.map((file) => [join(ROOT, file), file])),
  });
  // A script, because a page that is opened from a folder may not read a JSON file.
  eleventy.on('eleventy.after', ({ directories }) =>
    writeFile(
      join(directories.output, 'assets/search-sections.js'),
      `globalThis.berthSections = ${JSON.stringify(site().sections)};\n`,
    ),
  );
  eleventy.addWatchTarget('../docs/**/*.md');
  return { dir: { input: 'input', includes: '../layout', output: 'site' } };
}

/** The address of the source; undefined outside of GitHub Actions. */
function repository({ GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name, GITHUB_SHA: commit }) {
  return server && name && commit ? `${server}/${name}/blob/${commit}` : undefined;
}
