import { Agent } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { JobClient, type Registry } from 'azure-iothub';
import { DEVELOPMENT_SERVICE_KEY } from '../../../local/iot-hub/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const HOUR = 3_600_000;

interface JobAnswer {
  readonly jobId: string;
  readonly status: string;
  readonly failureReason?: string;
  readonly deviceJobStatistics: Readonly<Record<string, number>>;
}

describe('jobs over the service SDK', () => {
  let local: LocalHubs;
  let registry: Registry;
  let jobs: JobClient;
  let directory: string;
  let clock: number;
  let agent: Agent | undefined;

  const start = async () => {
    local = await startLocalHubs({ directory, now: () => clock });
    registry = local.registry(WEU);
    jobs = JobClient.fromConnectionString(
      `HostName=${WEU};SharedAccessKeyName=iothubowner;SharedAccessKey=${DEVELOPMENT_SERVICE_KEY}`,
    );
    agent = new Agent({ host: '127.0.0.1', port: local.ports.https, ca: local.authority.root });
    // biome-ignore lint/suspicious/noExplicitAny: there is no public way to give the SDK an agent
    (jobs as any)._restApiClient.setOptions({ http: { agent } });
  };
  beforeEach(async () => {
    clock = Date.now();
    directory = temporaryFolder('jobs');
    await start();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await registry.addDevices(
      ['pump-1', 'pump-2', 'fan-1'].map((deviceId) => ({ deviceId, authentication })),
    );
  });
  afterEach(() => {
    agent?.destroy();
    return local.close();
  });

  const read = async (jobId: string) => (await jobs.getJob(jobId)).jobStatus as JobAnswer;
  async function reached(jobId: string, ...statuses: readonly string[]): Promise<JobAnswer> {
    for (let tries = 0; tries < 600; tries += 1) {
      const job = await read(jobId);
      if (statuses.includes(job.status)) return job;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the job ${jobId} is not ${statuses.join(' or ')}`);
  }
  const ended = (jobId: string) => reached(jobId, 'completed', 'failed', 'cancelled');
  const update = (jobId: string, condition: string, patch: object, at = new Date(clock)) =>
    jobs.scheduleTwinUpdate(jobId, condition, patch as never, at, 120);
  const call = (jobId: string, condition: string, more: object = {}) =>
    jobs.scheduleDeviceMethod(
      jobId,
      condition,
      { methodName: 'reboot', payload: { now: true }, responseTimeoutInSeconds: 5, ...more },
      new Date(clock),
      120,
    );
  const devicesOf = async (jobId: string) => {
    const query = registry.createQuery(`SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '${jobId}'`);
    // biome-ignore lint/suspicious/noExplicitAny: the SDK has no type for the rows
    return (await query.next(undefined as unknown as string)).result as any[];
  };
  const status = (error: unknown) => (error as { response?: { statusCode: number } }).response?.statusCode;

  test('a job updates the twins that meet its condition', async () => {
    const patch = { etag: '*', tags: { site: 'ams' }, properties: { desired: { level: 3 }, reported: {} } };
    const created = (await update('job-1', "STARTSWITH(deviceId, 'pump-')", patch)).jobStatus as JobAnswer;

    expect(created).toMatchObject({ jobId: 'job-1', status: 'queued', type: 'scheduleUpdateTwin' });
    const job = await ended('job-1');
    expect(job).toMatchObject({
      status: 'completed',
      queryCondition: "STARTSWITH(deviceId, 'pump-')",
      updateTwin: patch,
      maxExecutionTimeInSeconds: 120,
      createdTime: expect.any(String),
      startTime: expect.any(String),
      endTime: expect.any(String),
      deviceJobStatistics: {
        deviceCount: 2,
        succeededCount: 2,
        failedCount: 0,
        runningCount: 0,
        pendingCount: 0,
      },
    });
    const { tags, properties } = (await registry.getTwin('pump-2')).responseBody;
    expect(tags).toEqual({ site: 'ams' });
    expect(properties.desired.level).toBe(3);
    expect((await registry.getTwin('fan-1')).responseBody.tags).toEqual({});
  });

  test('a job calls a method and keeps the answer of each device', async () => {
    const client = await local.device(WEU, 'pump-1', KEY);
    client.onDeviceMethod('reboot', (request, response) =>
      response.send(200, { got: request.payload }, () => {}),
    );
    await client.open();
    await until(() => local.hubs.view(WEU)?.connectedCount === 1, 'the device');
    await new Promise((resolve) => setTimeout(resolve, 100));

    await call('job-1', "deviceId IN ['pump-1', 'pump-2']");

    expect(await ended('job-1')).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 2, succeededCount: 1, failedCount: 1 },
    });
    expect(await devicesOf('job-1')).toMatchObject([
      {
        deviceId: 'pump-1',
        jobType: 'scheduleDeviceMethod',
        status: 'completed',
        startTimeUtc: expect.any(String),
        endTimeUtc: expect.any(String),
        outcome: { deviceMethodResponse: { status: 200, payload: { got: { now: true } } } },
      },
      { deviceId: 'pump-2', status: 'failed', error: { code: 'DeviceNotOnline' } },
    ]);
  });

  test('an update with an old etag fails on its device', async () => {
    await update('job-1', "deviceId = 'pump-1'", { etag: 'AAAAAAAAAAk=', tags: { a: 1 } });
    await ended('job-1');

    expect(await devicesOf('job-1')).toMatchObject([
      { status: 'failed', error: { code: 'PreconditionFailed' } },
    ]);
  });

  test('a job of the future waits for its time and can be cancelled', async () => {
    const later = new Date(clock + HOUR);
    await update('job-1', '*', { etag: '*', tags: { a: 1 } }, later);
    await update('job-2', '*', { etag: '*', tags: { b: 2 } }, later);
    const cancelled = (await jobs.cancelJob('job-2')).jobStatus as JobAnswer;
    expect(cancelled.status).toBe('cancelled');
    await reached('job-1', 'scheduled');

    clock += HOUR;

    expect((await ended('job-1')).status).toBe('completed');
    expect((await registry.getTwin('fan-1')).responseBody.tags).toEqual({ a: 1 });
    expect((await read('job-2')).status).toBe('cancelled');
  });

  test('a job with a wrong condition is created and then fails with the reason', async () => {
    await update('job-1', 'SELECT * FROM devices', { etag: '*', tags: { a: 1 } });

    expect(await ended('job-1')).toMatchObject({
      status: 'failed',
      failureReason: 'BadRequest: SELECT is not a property',
    });
  });

  test('a job that is cancelled while it runs reaches no more devices', async () => {
    const more = Array.from({ length: 15 }, (_, index) => ({ deviceId: `more-${10 + index}` }));
    await registry.addDevices(more);
    // The devices are absent, so each call waits for its device. The SDK drops this time limit.
    await local.call('PUT', '/jobs/v2/job-1', {
      body: {
        type: 'scheduleDeviceMethod',
        cloudToDeviceMethod: { methodName: 'reboot', connectTimeoutInSeconds: 2 },
        queryCondition: "STARTSWITH(deviceId, 'more-')",
      },
    });
    await reached('job-1', 'running');
    await jobs.cancelJob('job-1');

    const states = (await devicesOf('job-1')).map((device) => device.status);
    expect(states.filter((state) => state === 'canceled').length).toBeGreaterThanOrEqual(5);
    expect((await read('job-1')).status).toBe('cancelled');
  });

  test('the list of jobs filters by type and status and has pages', async () => {
    for (const jobId of ['a', 'b', 'c']) {
      clock += 1000;
      await update(jobId, "deviceId = 'pump-1'", { etag: '*', tags: { jobId } });
      await ended(jobId);
    }
    await call('d', "deviceId = 'pump-1'");
    await ended('d');

    const query = jobs.createQuery('scheduleUpdateTwin' as never, 'completed' as never, 2);
    const first = (await query.next(undefined as unknown as string)).result as JobAnswer[];
    const second = (await query.next(query.continuationToken)).result as JobAnswer[];
    expect([first, second].map((page) => page.map(({ jobId }) => jobId))).toEqual([['c', 'b'], ['a']]);
    expect(query.hasMoreResults).toBe(false);
  });

  test('jobs survive a restart, and one that was not done continues', async () => {
    await update('job-1', '*', { etag: '*', tags: { a: 1 } }, new Date(clock + HOUR));
    await local.close();
    await start();
    clock += HOUR;

    expect((await ended('job-1')).deviceJobStatistics).toMatchObject({ deviceCount: 3, succeededCount: 3 });
  });

  test('a hub of the tier S1 runs one job at a time', async () => {
    const client = await local.device(WEU, 'pump-2', KEY);
    client.onDeviceMethod('reboot', () => {});
    await client.open();
    await call('job-1', "deviceId = 'pump-2'");

    const error = await call('job-2', "deviceId = 'pump-1'").catch((caught: unknown) => caught);

    expect(status(error)).toBe(429);
    expect((error as { responseBody: string }).responseBody).toContain('ThrottlingMaxActiveJobCountExceeded');
    await jobs.cancelJob('job-1');
  });

  const put = (body: object, jobId = 'job-9') =>
    local.call('PUT', `/jobs/v2/${jobId}`, {
      body: {
        jobId,
        type: 'scheduleUpdateTwin',
        updateTwin: { etag: '*', tags: { a: 1 } },
        queryCondition: '*',
        startTime: new Date(clock + HOUR).toISOString(),
        ...body,
      },
    });

  test.each<[string, number, string, () => Promise<{ status: number; headers: Record<string, unknown> }>]>([
    ['an unknown type', 400, 'GenericBadRequest', () => put({ type: 'scheduleTwinUpdate' })],
    ['no condition', 400, 'ArgumentInvalid', () => put({ queryCondition: '' })],
    [
      'a method without a name',
      400,
      'ArgumentInvalid',
      () => put({ type: 'scheduleDeviceMethod', cloudToDeviceMethod: {} }),
    ],
    ['a job without an update', 400, 'ArgumentInvalid', () => put({ updateTwin: null })],
    ['a wrong start', 400, 'ArgumentInvalid', () => put({ startTime: 'soon' })],
    ['a negative duration', 400, 'ArgumentInvalid', () => put({ maxExecutionTimeInSeconds: -1 })],
    ['an id with a space', 400, 'ArgumentInvalid', () => put({ jobId: 'a b' }, 'a%20b')],
    ['an unknown job', 404, 'JobNotFound', () => local.call('GET', '/jobs/v2/none')],
    [
      'a cancellation of an unknown job',
      404,
      'JobNotFound',
      () => local.call('POST', '/jobs/v2/none/cancel'),
    ],
  ])('%s is refused', async (_what, expected, code, send) => {
    const answer = await send();

    expect([answer.status, answer.headers['iothub-errorcode']]).toEqual([expected, code]);
  });

  test('a second job with the same id is refused', async () => {
    expect((await put({})).status).toBe(200);
    expect((await put({})).status).toBe(409);
  });
});
