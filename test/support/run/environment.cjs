const hooks = require('node:async_hooks');
const { subscribe } = require('node:diagnostics_channel');
const { TestEnvironment } = require('jest-environment-node');
require('./compile-once.cjs');

const { AsyncLocalStorage } = hooks;

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

/** The environment of all suites. */
module.exports = class extends TestEnvironment {
  /** Jest loads its runner next. */
  async setup() {
    await super.setup();
    const requests = new Set();
    waiting = requests;
    this.global.httpRequestsWaiting = () => requests.size;
    hooks.AsyncLocalStorage = RunningTest;
  }

  /** The first event tells that Jest has loaded its runner. */
  handleTestEvent() {
    hooks.AsyncLocalStorage = SuiteStorage;
  }

  async teardown() {
    await super.teardown();
    for (const storage of made) storage.disable();
    made.clear();
  }
};
