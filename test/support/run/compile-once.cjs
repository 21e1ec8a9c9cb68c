const vm = require('node:vm');

/**
 * Jest compiles each module anew for each suite, because each suite has a sandbox of its own. Here a worker compiles each
 * module once, and runs it in every sandbox. That saves a sixth of the CPU time of small suites.
 */
const compileFunction = vm.compileFunction;
/** By the name of the file. */
const compiled = new Map();

vm.compileFunction = (code, parameters = [], options = {}) => {
  const { filename, parsingContext } = options;
  if (filename === undefined || parsingContext === undefined)
    return compileFunction(code, parameters, options);
  const head = `(function (${parameters.join(',')}) {`;
  const known = compiled.get(filename);
  if (known?.code === code && known.head === head) return known.script.runInContext(parsingContext);
  const script = new vm.Script(`${head}${code}\n})`, { filename, columnOffset: -head.length });
  compiled.set(filename, { code, head, script });
  return script.runInContext(parsingContext);
};
