// The options of esbuild. build.mjs bundles the programs for this machine, scripts/package.mjs the deployed package.

/**
 * @param {string} build time of the build, ISO 8601 in UTC. Instances of an older package do not write to twins.
 * @param {string} author the author of the commit, as git writes it; empty if it is not known.
 * @returns {import('esbuild').BuildOptions}
 */
export function bundleOptions(build, author = '') {
  return {
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    sourcemap: 'linked',
    logLevel: 'warning',
    define: { __BERTH_BUILD__: JSON.stringify(build), __BERTH_AUTHOR__: JSON.stringify(author) },
  };
}

/** The folder of the functions' chunks, next to their entry `functions.cjs`. */
export const CHUNKS = 'functions';

/**
 * What stands for the author in the npm package: the package of a project gets the author of that project's commit
 * (`scripts/pack/package-project.mjs`). `src/instance/build.ts` takes it for an unknown author.
 *
 * @param {string} build as in `bundleOptions`.
 */
export function authorToCome(build) {
  return `berth:author-to-come:${build}`;
}

/**
 * The options of a program. It contains its packages, so that it loads one file and not hundreds. The function host provides the
 * core module to the app that it loads. The other names are optional native parts of `ws`.
 *
 * @param options those of {@link bundleOptions}, and others
 */
export const programOptions = (options) => ({
  ...options,
  external: ['@azure/functions-core', 'bufferutil', 'utf-8-validate'],
  inject: ['scripts/build/import-meta-url.js'],
  define: { ...options.define, 'import.meta.url': 'importMetaUrl' },
  // The text of the sources of all packages would be most of a map.
  sourcesContent: false,
});
