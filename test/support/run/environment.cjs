const hooks = require('node:async_hooks');
const { subscribe } = require('node:diagnostics_channel');
const { ModernFakeTimers } = require('@jest/fake-timers');
const { ModuleMocker } = require('jest-mock');
require('./load-once.cjs');

const { AsyncLocalStorage } = hooks;
/** From Node.js 22 on, the property is a getter. */
const replaceStorage = (value) =>
  Object.defineProperty(hooks, 'AsyncLocalStorage', { value, configurable: true, enumerable: true });

/**
 * What Jest's runner uses in the place of an `AsyncLocalStorage`, by which it knows the test that an error belongs to. With one,
 * Node.js 20 follows every promise: that was a twentieth of the CPU time of all suites. The tests of a suite run one after the
 * other (`test.concurrent` is not used), so a variable is enough.
 */
class RunningTest {
  #context;

  getStore() {
    return this.#context;
  }

  async run(context, act) {
    const before = this.#context;
    this.#context = context;
    try {
      return await act();
    } finally {
      this.#context = before;
    }
  }
}

/** Those that the suite has made, such as Playwright's: Node.js would follow promises for all suites after it too. */
const made = new Set();
class SuiteStorage extends AsyncLocalStorage {
  constructor(...options) {
    super(...options);
    made.add(this);
  }
}

/** The HTTP requests of the running suite that have neither their whole answer nor an error. */
let waiting = new Set();
subscribe('http.client.request.start', ({ request }) => {
  const requests = waiting;
  requests.add(request);
  request.once('close', () => requests.delete(request));
});

/** The tests of a suite report to these functions. Jest's runner keeps them in the global object. */
const REPORTED_TO = Symbol.for('EVENT_HANDLERS');

/** What Jest and suites replace in the process. */
const processState = () => ({
  exit: process.exit,
  getBuiltinModule: process.getBuiltinModule,
  console: globalThis.console,
  env: { ...process.env },
});

function restore({ exit, getBuiltinModule, console, env }) {
  Object.assign(process, { exit, getBuiltinModule });
  globalThis.console = console;
  for (const name of Object.keys(process.env).filter((name) => !(name in env))) delete process.env[name];
  Object.assign(process.env, env);
}

/**
 * The environment of all suites. They use the global objects of Node.js, and not a sandbox of `node:vm` as in Jest's own
 * environment: there, each use of a global object takes a slow path, and an error of Node.js is not an `Error`. The suites of a
 * worker run one after the other.
 */
module.exports = class {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  /** The old kind, which no suite uses. */
  fakeTimers = null;
  fakeTimersModern;
  #before = processState();

  constructor({ projectConfig }) {
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  /** Jest loads its runner next. */
  async setup() {
    const requests = new Set();
    waiting = requests;
    globalThis.httpRequestsWaiting = () => requests.size;
    replaceStorage(RunningTest);
  }

  /** The first event tells that Jest has loaded its runner. */
  handleTestEvent() {
    replaceStorage(SuiteStorage);
  }

  async teardown() {
    this.fakeTimersModern.dispose();
    this.global = null;
    for (const storage of made) storage.disable();
    made.clear();
    delete globalThis[REPORTED_TO];
    restore(this.#before);
  }

  /** Packages are loaded as `require` of Node.js loads them. */
  exportConditions() {
    return ['node', 'node-addons'];
  }

  /** `load-once.cjs` only looks whether there is one. */
  getVmContext() {
    return this.global;
  }
};
