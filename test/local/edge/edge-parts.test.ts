import { describe, expect, test } from '@jest/globals';
import { isRestartDue, type ModuleState, runtimeStatus } from '../../../local/edge/agent/module-state.ts';
import { planUpdate } from '../../../local/edge/agent/plan-update.ts';
import { reportSummary } from '../../../local/edge/agent/report-summary.ts';
import type { WantedModule } from '../../../local/edge/manifest/agent-manifest.ts';
import { measurement, nextTemperature, timeSpan } from '../../../local/edge/modules/temperature.ts';
import { REAL_PACE } from '../../../local/edge/pace.ts';
import { reportPatch } from '../../../local/edge/report-patch.ts';

const wanted = (name: string, changes: Partial<WantedModule> = {}): WantedModule => ({
  name,
  image: `${name}:1`,
  createOptions: '{}',
  status: 'running',
  restartPolicy: 'always',
  imagePullPolicy: 'on-create',
  startupOrder: undefined,
  version: undefined,
  env: {},
  ...changes,
});
const present = (...modules: WantedModule[]) => new Map(modules.map((module) => [module.name, module]));

describe('the plan of the agent', () => {
  test('removes what is not in the manifest, updates what differs, and leaves the rest', () => {
    const plan = planUpdate(
      [wanted('same'), wanted('new'), wanted('changed', { image: 'changed:2' })],
      present(wanted('same'), wanted('changed'), wanted('old')),
    );

    expect(plan.remove).toEqual(['old']);
    expect(plan.update.flat().map(({ name }) => name)).toEqual(['new', 'changed']);
    expect(plan.changeStatus).toEqual([]);
  });

  test('starts modules in the order of startupOrder, those without one last', () => {
    const plan = planUpdate(
      [
        wanted('last'),
        wanted('b', { startupOrder: 2 }),
        wanted('a', { startupOrder: 1 }),
        wanted('a2', { startupOrder: 1 }),
      ],
      present(),
    );

    expect(plan.update.map((group) => group.map(({ name }) => name))).toEqual([['a', 'a2'], ['b'], ['last']]);
  });

  test('changes only the status of a module where nothing else differs', () => {
    const plan = planUpdate([wanted('a', { status: 'stopped' })], present(wanted('a')));

    expect(plan.update).toEqual([]);
    expect(plan.changeStatus.map(({ name }) => name)).toEqual(['a']);
  });
});

describe('the status of a module', () => {
  const state = (changes: Partial<WantedModule>, exitCode: number, restarts = 0): ModuleState => ({
    module: wanted('a', changes),
    container: { isRunning: false, exitCode, startedAt: 0, exitedAt: 1_000 },
    restarts,
    restartedAt: undefined,
  });

  test.each([
    ['always', 0, 'backoff'],
    ['always', 1, 'backoff'],
    ['on-failure', 0, 'stopped'],
    ['on-failure', 1, 'backoff'],
    ['on-unhealthy', 1, 'backoff'],
    ['never', 0, 'stopped'],
    ['never', 1, 'failed'],
  ] as const)('after an end with the policy %s and exit code %i: %s', (restartPolicy, exitCode, expected) => {
    expect(runtimeStatus(state({ restartPolicy }, exitCode))).toBe(expected);
  });

  test('is stopped for a module that should not run, and failed after 20 restarts', () => {
    expect(runtimeStatus(state({ status: 'stopped' }, 0))).toBe('stopped');
    expect(runtimeStatus(state({}, 1, 20))).toBe('failed');
  });

  test('a module starts again after 10 s, 20 s and so on, at most five minutes', () => {
    const dueAfter = (restarts: number) =>
      [10, 20, 40, 300].find((seconds) =>
        isRestartDue(state({}, 1, restarts), 1_000 + seconds * 1_000, REAL_PACE),
      );
    expect([dueAfter(0), dueAfter(1), dueAfter(2), dueAfter(12)]).toEqual([10, 20, 40, 300]);
  });
});

describe('the state of a device in one line', () => {
  test('has the code with its reason, and each module but the agent', () => {
    const document = {
      lastDesiredStatus: { code: 500, description: 'Failed to pull a:2' },
      systemModules: {
        edgeAgent: { runtimeStatus: 'running' },
        edgeHub: { runtimeStatus: 'running', restartCount: 0 },
      },
      modules: { a: { runtimeStatus: 'backoff', restartCount: 3 } },
    };

    expect(reportSummary(document)).toBe(
      '500 (Failed to pull a:2), edgeHub running, a backoff after 3 restarts',
    );
    expect(reportSummary({ lastDesiredStatus: { code: 200, description: '' } })).toBe('200');
  });
});

describe('a report', () => {
  test('has only the differences, and null for what is gone', () => {
    expect(reportPatch({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { b: { c: 1, d: 3 }, e: [1], f: {} })).toEqual({
      a: null,
      b: { d: 3 },
      f: {},
    });
    expect(reportPatch({ a: { b: 1 } }, { a: { b: 1 } })).toEqual({});
  });
});

describe('the simulated temperature', () => {
  test('rises from 21 to about 100 degrees and stays there', () => {
    let temperature = 21;
    for (let ticks = 0; ticks < 1_000; ticks += 1)
      temperature = nextTemperature(temperature, ((ticks * 7) % 10) / 10);

    expect(temperature).toBeGreaterThan(98);
    expect(temperature).toBeLessThan(103);
  });

  test('has a pressure between 1 and 10 bar that follows it', () => {
    expect(measurement(21, 0.5, 0)).toMatchObject({ machine: { pressure: 1 } });
    expect(measurement(100, 0.5, 0)).toMatchObject({
      machine: { pressure: 10 },
      ambient: { temperature: 21 },
    });
  });

  test.each([
    ['00:00:05', 5_000],
    ['01:02:03', 3_723_000],
    ['1.00:00:00', 86_400_000],
    ['5', undefined],
    ['', undefined],
  ])('the time span %j is %j ms', (text, expected) => {
    expect(timeSpan(text)).toBe(expected);
  });
});
