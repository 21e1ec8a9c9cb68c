// What esbuild is told, in one place: build.mjs bundles what runs here, scripts/package.mjs what is deployed.

/** @param {string} build when it is built, ISO 8601 in UTC: instances of an older package leave the twins alone. */
export function bundleOptions(build) {
  return {
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    sourcemap: 'linked',
    logLevel: 'warning',
    define: { __BERTH_BUILD__: JSON.stringify(build) },
  };
}

/** The functions: everything in one file, but for the module that the worker itself provides. */
export const FUNCTIONS = {
  entryPoints: { functions: 'src/main.ts' },
  external: ['@azure/functions-core'],
};
