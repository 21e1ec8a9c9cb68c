import fc from 'fast-check';

/**
 * fast-check with a fixed seed, so that all runs of the tests do the same. `BERTH_TEST_SEED` sets another seed:
 * `BERTH_TEST_SEED=7 npx jest test/twin`. A failure shows its seed and path.
 */
fc.configureGlobal({ seed: Number(process.env.BERTH_TEST_SEED || 20_261_128) });

export { fc };
