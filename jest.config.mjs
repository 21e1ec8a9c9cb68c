/** Makes CommonJS of TypeScript, and global objects as fast as outside of the sandbox. */
const FAST = '<rootDir>/test/support/run/fast-globals.cjs';

/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: [
    '<rootDir>/dist',
    '<rootDir>/package/',
    '<rootDir>/packed/',
    '<rootDir>/docs-site/site',
    '<rootDir>/.berth',
  ],
  // Everything becomes CommonJS, packages that are published as ES modules only included.
  transform: {
    '^.+\\.(ts|mjs)$': [
      FAST,
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
    'node_modules/(p-limit|yocto-queue|@marcbachmann/cel-js)/.+\\.js$': [
      FAST,
      { jsc: { target: 'es2022' }, module: { type: 'commonjs' } },
    ],
    'node_modules/.+\\.c?js$': FAST,
  },
  transformIgnorePatterns: [],
  // Says only that a test hangs: a busy machine may take long.
  testTimeout: 120_000,
  testEnvironment: '<rootDir>/test/support/run/environment.cjs',
  // Suites must not depend on each other: five of them run side by side. Suites that start processes mostly wait, so two
  // cores are busy with five of them.
  maxWorkers: 5,
  testSequencer: '<rootDir>/test/support/run/suite-order.cjs',
  globalSetup: '<rootDir>/test/support/run/begin.ts',
  globalTeardown: '<rootDir>/test/support/run/end.ts',
  // With `--coverage`: Jest then needs no Babel, which is not installed.
  coverageProvider: 'v8',
  reporters: ['default', '<rootDir>/test/support/run/area-reporter.mjs'],
};
