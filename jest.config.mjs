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
  // The modules of Berth become CommonJS. Node.js itself loads packages.
  transform: {
    '^.+\\.(ts|mjs)$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // Says only that a test hangs: a busy machine may take long.
  testTimeout: 120_000,
  testEnvironment: '<rootDir>/test/support/run/environment.cjs',
  // Suites must not depend on each other: five of them run side by side. Suites that start processes mostly wait, so two
  // cores are busy with five of them.
  maxWorkers: 5,
  // At the end, a worker frees its memory. With the default of half a second, Jest reports that as a leak.
  workerGracefulExitTimeout: 10_000,
  testSequencer: '<rootDir>/test/support/run/suite-order.cjs',
  globalSetup: '<rootDir>/test/support/run/begin.ts',
  globalTeardown: '<rootDir>/test/support/run/end.ts',
  // With `--coverage`: Jest then needs no Babel, which is not installed.
  coverageProvider: 'v8',
  reporters: ['default', '<rootDir>/test/support/run/area-reporter.mjs'],
};
