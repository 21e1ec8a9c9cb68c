import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { buildHost, type RunningHost, startHost, writeApp } from './host-process.ts';

const CODE = `
import { app } from '@azure/functions';
const runs = {};
const record = (name, entry) => { (runs[name] ??= []).push(entry); };
app.timer('atStartup', { schedule: '0 0 0 1 1 *', runOnStartup: true, handler: (timer, context) => {
  record('atStartup', { timer, metadata: context.triggerMetadata ?? null, retry: context.retryContext ?? null });
} });
app.timer('often', { schedule: '%OFTEN%', handler: (timer) => { record('often', timer); } });
let running = 0;
app.timer('overlapping', { schedule: '* * * * * *', handler: async () => {
  running += 1;
  record('overlapping', running);
  await new Promise((done) => setTimeout(done, 1500));
  running -= 1;
} });
app.timer('failing', { schedule: '0 0 0 1 1 *', runOnStartup: true,
  retry: { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: 100 },
  handler: (_, context) => {
    record('failing', context.retryContext ?? null);
    throw new Error('attempt ' + runs.failing.length);
  } });
app.timer('unset', { schedule: '%NOT_SET%', handler: () => {} });
app.timer('nonsense', { schedule: 'every full moon', handler: () => {} });
app.timer('disabled', { schedule: '* * * * * *', runOnStartup: true, handler: () => { record('disabled', 1); } });
app.storageQueue('queue', { queueName: 'q', connection: 'AzureWebJobsStorage', handler: (input) => { record('queue', input); } });
app.http('runs', { handler: () => ({ jsonBody: runs }) });
`;

let host: RunningHost;

beforeAll(async () => {
  const file = await buildHost();
  const app = await writeApp({ code: CODE, settings: { OFTEN: '*/1 * * * * *' } });
  host = await startHost(file, app, { 'AzureWebJobs.disabled.Disabled': '1' });
});

afterAll(async () => {
  await host.stop();
});

type Runs = Readonly<Record<string, readonly unknown[]>>;

const runsOf = (name: string, atLeast: number) =>
  eventually(
    async () => ((await host.get('/api/runs')) as Runs)[name] ?? [],
    (runs) => runs.length >= atLeast,
  );

describe('a timer', () => {
  test('runs at startup if its binding says so, with its status and without trigger metadata', async () => {
    const [run] = await runsOf('atStartup', 1);

    expect(run).toEqual({
      timer: {
        schedule: { adjustForDST: true },
        scheduleStatus: {
          last: '0001-01-01T00:00:00+00:00',
          lastUpdated: '0001-01-01T00:00:00+00:00',
          next: expect.stringMatching(/^\d{4}-01-01T00:00:00\+00:00$/),
        },
        isPastDue: false,
      },
      metadata: null,
      retry: null,
    });
  });

  test('runs on the schedule of an app setting, and has no status if it runs more often than once a minute', async () => {
    const runs = await runsOf('often', 2);

    expect(runs[0]).toEqual({ schedule: { adjustForDST: true }, isPastDue: false });
  });

  test('never runs twice at the same time', async () => {
    expect(await runsOf('overlapping', 3)).toEqual(expect.not.arrayContaining([2]));
  });

  test('is retried after a failure as its policy says', async () => {
    const runs = await runsOf('failing', 3);

    expect(runs).toEqual([
      null,
      { retryCount: 1, maxRetryCount: 2, exception: expect.objectContaining({ message: 'attempt 1' }) },
      { retryCount: 2, maxRetryCount: 2, exception: expect.objectContaining({ message: 'attempt 2' }) },
    ]);
    await host.printed(/failing failed .*attempt 3/);
  });

  test('can be fired by hand in addition to its schedule', async () => {
    const before = (await runsOf('atStartup', 1)).length;

    expect(await host.fire('atStartup')).toBe(202);

    expect((await runsOf('atStartup', before + 1)).length).toBe(before + 1);
  });

  test('does not run if it is disabled', async () => {
    expect(await host.get('/api/runs')).not.toHaveProperty('disabled');
  });
});

describe('a function that cannot be started is reported, and the others run', () => {
  test.each([
    ['unset', 'timerTrigger', 'the app setting NOT_SET (for "%NOT_SET%") is missing'],
    ['nonsense', 'timerTrigger', 'its schedule "every full moon" must be'],
    ['queue', 'queueTrigger', 'the local function host does not support queueTrigger'],
    ['disabled', 'timerTrigger', 'an app setting disables it'],
  ])('the function %s is reported and not started', async (name, type, problem) => {
    expect(host.functions).toContainEqual({ name, type, problem: expect.stringContaining(problem) });
    expect(host.output()).toContain(`${name}: ${type}, does not run: ${problem}`);
  });

  test('a function whose trigger is not supported can still be fired by hand', async () => {
    expect(await host.fire('queue', { order: 7 })).toBe(202);

    expect(await runsOf('queue', 1)).toEqual([{ order: 7 }]);
  });
});
