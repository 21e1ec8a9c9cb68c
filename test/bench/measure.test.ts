import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { placementFigures, placementQuality } from '../../bench/cases/placement-quality.ts';
import { registrationCases } from '../../bench/cases/registration.ts';
import { sampleWebhook } from '../../bench/cases/sample-webhook.ts';
import { twinCases } from '../../bench/cases/twins.ts';
import { whatIfCases } from '../../bench/cases/what-if.ts';
import { whatIfThreads } from '../../bench/cases/what-if-threads.ts';
import { type Effort, figureOf, machineLoad, measure } from '../../bench/measure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SHORT: Effort = { rounds: 1, roundMs: 1, warmUpMs: 0 };
const ABOUT = { name: 'a', what: 'b', goal: 2 };

describe('npm run bench', () => {
  test('runs each figure, which have different names, and gives a ratio above 0', () => {
    const figures = [...registrationCases(), ...twinCases(), ...whatIfCases()].map((each) =>
      measure(each, SHORT),
    );

    expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
    for (const { name, ratio } of figures)
      expect([name, ratio > 0 && Number.isFinite(ratio)]).toEqual([name, true]);
  });

  test('measures threads that plan stored twins, and ends them', async () => {
    const file = join(temporaryFolder('bench-thread'), 'thread.cjs');
    await build({
      entryPoints: ['bench/what-if-thread.ts'],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: file,
    });

    const { name, ratio, perSecond } = await whatIfThreads({ file, rounds: 1, twins: 20 });

    expect([name, ratio > 0, Number(perSecond) > 0]).toEqual(['what-if-twins-threads', true, true]);
  });

  test('shows how well devices are placed', () => {
    const quality = placementQuality(3_000);
    const figures = placementFigures(quality);

    expect(quality).toMatchObject({ devices: 3_000 });
    expect(quality.spilled).toBeGreaterThan(0);
    for (const { name, ratio } of figures) expect([name, ratio > 0]).toEqual([name, true]);
  });

  test('gives the median ratio of the rounds, and compares it with the goal', () => {
    expect(figureOf(ABOUT, [1.9, 1.7, 1.8], 0)).toMatchObject({ ratio: 1.8, reached: 'met' });
    expect(figureOf(ABOUT, [2.1, 2.2, 2.3], 0)).toMatchObject({ ratio: 2.2, reached: 'missed' });
    expect(figureOf({ name: 'a', what: 'b' }, [2], 0)).toMatchObject({ goal: null, reached: 'no goal' });
  });

  test('does not compare a figure with its goal if its rounds differ too much', () => {
    const { spread, reached } = figureOf(ABOUT, [1, 1, 1.5, 2, 2], 0);

    expect(spread).toBeGreaterThan(0.2);
    expect(reached).toBe('too spread');
  });

  test('takes the work of the subject for longer than that of the baseline', () => {
    const work = (times: number) => () => {
      let sum = 0;
      for (let index = 0; index < times; index += 1) sum += Math.sqrt(index);
      return sum;
    };
    const effort = { rounds: 5, roundMs: 5, warmUpMs: 5 };

    const { ratio } = measure({ ...ABOUT, subject: work(20_000), baseline: work(1_000) }, effort);

    expect(ratio).toBeGreaterThan(5);
  });

  test('notes the cores and the load of the machine', () => {
    const { cores, perCore } = machineLoad();

    expect(cores).toBeGreaterThan(0);
    expect(perCore).toBeGreaterThanOrEqual(0);
  });

  test('compares with the sample of Microsoft, which chooses the hub by a part of its name', () => {
    const body = JSON.stringify({
      deviceRuntimeContext: { registrationId: 'breakroom499-contoso-tstrsd-007' },
      linkedHubs: ['contoso-heatpumps-hub.azure-devices.net', 'contoso-toasters-hub.azure-devices.net'],
    });

    expect(JSON.parse(sampleWebhook(body))).toEqual({
      iotHubHostName: 'contoso-toasters-hub.azure-devices.net',
    });
  });
});
