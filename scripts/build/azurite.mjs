// Bundles Azurite, which starts faster as one file, and with it what Berth does not install: the packages of functions that the
// local stack never turns on.
import { readFileSync } from 'node:fs';

/**
 * The options of esbuild for the bundle of Azurite, without those of `bundleOptions` and the folder. The bundle needs no
 * node_modules.
 */
export const AZURITE = {
  entryPoints: { azurite: 'local/azurite/main.ts' },
  // Azurite has no maps that help here, and they would lengthen its start.
  sourcemap: false,
  plugins: [partsWithoutPackage()],
};

/**
 * Puts an object that throws in the place of each package that `package.json` leaves out below Azurite: Azurite loads these
 * packages when it starts, but calls them only with options that the local stack does not have. See docs/decisions/0049.
 */
function partsWithoutPackage() {
  return {
    name: 'parts-without-package',
    setup({ onResolve, onLoad }) {
      const { overrides } = JSON.parse(readFileSync('package.json', 'utf8'));
      const absent = new Set(Object.keys(overrides.azurite));
      onResolve({ filter: /^[a-z]/ }, ({ path, importer }) =>
        absent.has(path) && /[\\/]node_modules[\\/]azurite[\\/]/.test(importer)
          ? { path, namespace: 'absent' }
          : undefined,
      );
      onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => ({ contents: throwing(path) }));
    },
  };
}

/** A module that can be loaded, extended and read, and that throws when it is called. */
const throwing = (name) => `
const refuse = () => {
  throw new Error('Azurite called the package ${name}, which Berth does not install: see "azurite" below "overrides" in package.json.');
};
const absent = new Proxy(class {}, {
  apply: refuse,
  construct: refuse,
  get: (target, key) => (key === 'prototype' || typeof key === 'symbol' ? target[key] : key === '__esModule' ? undefined : absent),
});
module.exports = absent;
`;
