// The bundle of the functions: a small entry with what the webhook needs, and chunks that are loaded when a function first needs
// them. The host loads the entry at every cold start, while a device waits.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { transform } from 'esbuild';
import { bundleOptions, CHUNKS } from './bundle.mjs';
import { ownMappings } from './own-mappings.mjs';

/**
 * The options of esbuild for the functions: all packages are inside, except the module that the worker provides.
 *
 * @param options those of esbuild that are different here. With `write: false`, the files are only in `outputFiles`.
 * @param {string} built time of the build, ISO 8601 in UTC.
 * @param {string} author as in `bundleOptions`.
 */
export function functionsBuild(options, built, author) {
  const { plugins = [], write = true, sourcesContent = true, ...others } = options;
  const { define, ...common } = bundleOptions(built, author);
  return {
    ...common,
    ...others,
    define: Object.fromEntries(Object.keys(define).map((name) => [name, name])),
    entryPoints: { functions: 'src/main.ts' },
    external: ['@azure/functions-core'],
    // esbuild splits only ES modules. `asCommonJs` turns the files into CommonJS modules, which Node.js loads faster.
    format: 'esm',
    splitting: true,
    chunkNames: `${CHUNKS}/[name]-[hash]`,
    // The names of functions and one line for each statement or so remain, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 120,
    legalComments: 'none',
    sourcemap: 'inline',
    sourcesContent,
    write: false,
    metafile: true,
    plugins: [
      partsOfPackages,
      partsThatAreUsed,
      shortNamesInPackages,
      smallParser,
      modulesOfOpenTelemetry,
      asCommonJs({ write, sourcesContent, constants: define }),
      ...plugins,
    ],
  };
}

/**
 * Packages of which the functions use a small part: `parts/` names it, so that the rest stays out. They are ES modules, because
 * esbuild gives a chunk of a CommonJS module a default export only.
 */
const PARTS = {
  '@azure/core-xml': 'core-xml.mjs',
  '@azure/data-tables': 'data-tables.mjs',
  '@azure/event-hubs': 'event-hubs.mjs',
  '@azure/identity': 'identity.mjs',
  'http-proxy-agent': 'http-proxy-agent.cjs',
  'https-proxy-agent': 'https-proxy-agent.cjs',
  jsonwebtoken: 'jsonwebtoken.mjs',
  lodash: 'lodash.cjs',
  open: 'open.mjs',
  undici: 'undici.mjs',
  'azure-iothub/dist/registry.js': 'iothub-registry.mjs',
};

/** The same for what one package imports: other packages get the whole. */
const PARTS_WITHIN = {
  jsonwebtoken: { semver: 'semver.cjs' },
  undici: {
    // The parser for processors without SIMD. Azure Functions has none of them.
    '../llhttp/llhttp-wasm.js': 'llhttp.cjs',
    './client-h2.js': 'undici-h2.cjs',
    '../web/fetch/body.js': 'undici-body.cjs',
  },
};

const partsOfPackages = {
  name: 'parts-of-packages',
  setup({ onResolve }) {
    const folder = join(import.meta.dirname, 'parts');
    const use = (names, isImporter, parts) =>
      onResolve({ filter: names }, ({ path, importer }) =>
        isImporter(importer) && Object.hasOwn(parts, path) ? { path: join(folder, parts[path]) } : undefined,
      );
    use(/^[@\w]/, (importer) => dirname(importer) !== folder, PARTS);
    for (const [name, parts] of Object.entries(PARTS_WITHIN)) {
      const isWithin = new RegExp(`[\\\\/]node_modules[\\\\/]${name}[\\\\/]`);
      use(/^[.\w]/, (importer) => isWithin.test(importer), parts);
    }
  },
};

/**
 * The packages of OpenTelemetry as ES modules, which they have too. What the functions do not use of them then stays out, and their own
 * dynamic imports keep their names.
 */
const modulesOfOpenTelemetry = {
  name: 'modules-of-open-telemetry',
  setup({ onResolve }) {
    onResolve({ filter: /^@opentelemetry\/[a-z-]+$/ }, ({ path, resolveDir }) => {
      const asCommonJs = createRequire(join(resolveDir, '_')).resolve(path);
      const asModule = asCommonJs
        .replace(join('build', 'src'), join('build', 'esm'))
        .replace(/\.cjs$/, '.mjs');
      return { path: asModule, sideEffects: false };
    });
  },
};

/**
 * Leaves out the files of the SDKs that nothing imports. Their `package.json` allows that (`sideEffects`), but esbuild reads the one in
 * the folder of the modules, which does not say it.
 */
const partsThatAreUsed = {
  name: 'parts-that-are-used',
  setup({ onResolve, resolve: resolvedByEsbuild }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
      // Each import names its whole file. Without a search by esbuild, this build takes two fifths less CPU time.
      SDK_MODULE.test(join(resolveDir, sep))
        ? { path: join(resolveDir, path), sideEffects: false }
        : undefined,
    );
    const resolved = Symbol('resolved');
    onResolve({ filter: SDK_PACKAGE }, async ({ path, pluginData, ...where }) => {
      if (pluginData === resolved) return undefined;
      const found = await resolvedByEsbuild(path, { ...where, pluginData: resolved });
      return SDK_MODULE.test(found.path) ? { path: found.path, sideEffects: false } : undefined;
    });
  },
};

/** The name of a package with such modules. */
const SDK_PACKAGE = /^@(azure|azure-rest|typespec)\//;

/** A module of an SDK whose package says `"sideEffects": false`. `test/build/parts.test.ts` reads the packages. */
const SDK_MODULE = /[\\/]node_modules[\\/](@azure|@azure-rest|@typespec)[\\/][^\\/]+[\\/]dist[\\/]esm[\\/]/;

/**
 * The parser of undici, which is WebAssembly. In Base64, a zip file compresses it badly; compressed by Brotli first, it takes 9 KB less.
 */
const smallParser = {
  name: 'small-parser',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]llhttp_simd-wasm\.js$/ }, ({ path }) => {
      const parser = brotliCompressSync(createRequire(import.meta.url)(path)).toString('base64');
      const contents = `
        const { brotliDecompressSync } = require('node:zlib');
        let parser;
        Object.defineProperty(module, 'exports', {
          get: () => (parser ??= brotliDecompressSync(Buffer.from('${parser}', 'base64'))),
        });`;
      return { contents };
    });
  },
};

/** Packages that share a chunk with Berth's own code, whose names stay. */
const shortNamesInPackages = {
  name: 'short-names-in-packages',
  setup({ onLoad }) {
    onLoad(
      { filter: /[\\/]node_modules[\\/](zod|@marcbachmann[\\/]cel-js|@azure[\\/]functions)[\\/].+\.m?js$/ },
      async ({ path }) => {
        const { code } = await transform(await readFile(path, 'utf8'), { minifyIdentifiers: true });
        return { contents: code };
      },
    );
  },
};

/** Turns the output files, which are ES modules with an inline map, into CommonJS modules with a map next to each. */
function asCommonJs({ write, sourcesContent, constants }) {
  return {
    name: 'as-common-js',
    setup({ onEnd, initialOptions: { outdir } }) {
      onEnd(async (result) => {
        if (result.errors.length > 0) return;
        const { outputs } = result.metafile;
        for (const { entryPoint, exports } of Object.values(outputs)) {
          if (exports.join() === 'default') {
            throw new Error(
              `${entryPoint} is CommonJS: import it in a module of scripts/build/parts, by its names.`,
            );
          }
        }
        const own = new Set(
          Object.entries(outputs)
            .filter(([, { inputs }]) => Object.keys(inputs).some(isOwn))
            .map(([path]) => resolve(path)),
        );
        const files = await Promise.all(
          result.outputFiles.map(({ path, text }) =>
            commonJs(path, text, {
              hasOwnCode: own.has(path),
              sourcesContent,
              // Only the entry has them. The limit of lines may cut a text, and `package-project.mjs` must find these.
              firstLine: basename(path) === 'functions.cjs' ? constantsOf(constants) : '',
            }),
          ),
        );
        result.outputFiles = files.flat();
        if (!write) return;
        // The names of chunks change with their contents.
        rmSync(join(outdir, CHUNKS), { recursive: true, force: true });
        for (const { path, contents } of result.outputFiles) {
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, contents);
        }
      });
    },
  };
}

/** Whether a file, relative to the project or to the bundle, is a source of Berth. */
const isOwn = (file) => /^(\.\.\/)*src\//.test(file);

/** A line that declares constants. */
function constantsOf(constants) {
  const parts = Object.entries(constants).map(([name, literal]) => `${name}=${literal}`);
  return `const ${parts.join(',')};\n`;
}

/** A file with code of Berth gets a map, and the names of its functions stay. A file with packages only has neither. */
async function commonJs(path, text, { hasOwnCode, sourcesContent, firstLine }) {
  const { code, map } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    minifyWhitespace: true,
    minifySyntax: true,
    minifyIdentifiers: !hasOwnCode,
    lineLimit: 120,
    // `import()` becomes `require()`.
    supported: { 'dynamic-import': false },
    sourcefile: basename(path),
    sourcemap: hasOwnCode && 'external',
    sourcesContent,
  });
  if (!hasOwnCode) return [{ path, contents: Buffer.from(code) }];
  const linked = `${firstLine}${code}//# sourceMappingURL=${basename(path)}.map\n`;
  return [
    { path, contents: Buffer.from(linked) },
    { path: `${path}.map`, contents: Buffer.from(ownMappings(map, isOwn, firstLine === '' ? 0 : 1)) },
  ];
}
