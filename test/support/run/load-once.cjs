const { createRequire } = require('node:module');
const vm = require('node:vm');

/**
 * Jest loads all modules again for each suite. Here a worker loads each package once, as Node.js does, and compiles each module
 * of Berth once. The modules of Berth start anew in each suite. Without this, loading modules takes a sixth of the CPU time of
 * all suites.
 */
const compileFunction = vm.compileFunction;
/** By the name of the file. */
const compiled = new Map();

/** Jest's runner is no such package: it contains the tests of one suite. */
const PACKAGE = /[\\/]node_modules[\\/](?!jest-circus[\\/])/;
/** For the tests of Jest's environment: a second one in the worker would replace the function below again. */
const isOfEnvironment = (file) => file.startsWith(__dirname) && file.endsWith('.cjs');

vm.compileFunction = (code, parameters = [], options = {}) => {
  const { filename, parsingContext } = options;
  if (filename === undefined || parsingContext === undefined)
    return compileFunction(code, parameters, options);
  if (PACKAGE.test(filename) || isOfEnvironment(filename)) {
    return (module) => {
      module.exports = createRequire(filename)(filename);
    };
  }
  const head = `(function (${parameters.join(',')}) {`;
  const known = compiled.get(filename);
  if (known?.code === code && known.head === head) return known.script.runInThisContext();
  const script = new vm.Script(`${head}${code}\n})`, { filename, columnOffset: -head.length });
  compiled.set(filename, { code, head, script });
  return script.runInThisContext();
};
