const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { createTransformer } = require('@swc/jest');

/**
 * Jest runs each suite in a sandbox of `node:vm`, where each use of a global object takes a slow path: pure code takes
 * nearly twice the time of the same code outside. In a local variable of each module they are as fast as outside. Fake
 * timers and spies replace the other globals, such as `Date` and `fetch`: they stay as they are.
 */
const NAMES = [
  'Object',
  'Array',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'Reflect',
  'Symbol',
  'JSON',
  'RegExp',
  'Error',
];
const MORE_NAMES = ['Math', 'Number', 'BigInt', 'String', 'Boolean', 'Promise', 'Buffer', 'Uint8Array'];

const USES = [...NAMES, ...MORE_NAMES].map((name) => ({
  name,
  used: new RegExp(`(?<![.\\w$])${name}\\b`),
  // `class Set`, `const Buffer`, and a name in braces that may be declared there.
  declared: new RegExp(`\\b(?:class|const|let|function|as)\\s+${name}\\b|[{,:]\\s*${name}\\s*[,}=]`),
}));

/** The code of a CommonJS module with its globals in variables. Lines keep their numbers. */
function withLocalGlobals(code) {
  const names = USES.filter(({ used, declared }) => used.test(code) && !declared.test(code)).map(
    ({ name }) => name,
  );
  if (names.length === 0) return code;
  const [directive = ''] = /^\s*(['"])use strict\1;?/.exec(code) ?? [];
  const variables = `var ${names.map((name) => `${name}=globalThis.${name}`).join(',')};`;
  return `${directive}${variables}${code.slice(directive.length)}`;
}

const OWN_TEXT = readFileSync(__filename);

/** A transformer of Jest. With options, they are those of swc; without, the file is CommonJS already. */
module.exports = {
  createTransformer(options) {
    const swc = options && createTransformer(options);
    return {
      canInstrument: false,
      getCacheKey: (text, file, jest) =>
        createHash('sha1')
          .update(swc === undefined ? text : swc.getCacheKey(text, file, jest))
          .update(OWN_TEXT)
          .digest('hex'),
      process(text, file, jest) {
        if (swc === undefined) return { code: withLocalGlobals(text) };
        const { code, map } = swc.process(text, file, jest);
        return { code: withLocalGlobals(code), map };
      },
    };
  },
};
