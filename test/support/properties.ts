import fc from 'fast-check';

/**
 * fast-check with a seed that is always the same, so that no run of the tests depends on chance. `BERTH_TEST_SEED` looks
 * elsewhere: `BERTH_TEST_SEED=7 npx jest test/twin`. A failure says which seed and path it came from.
 */
fc.configureGlobal({ seed: Number(process.env.BERTH_TEST_SEED || 20_261_128) });

export { fc };
