import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import type { Receipt } from '../../src/allocation/receipt/receipt.ts';
import { type ModelFile, parseFleetWithModels } from '../../src/fleet/file/models.ts';
import type { Models } from '../../src/fleet/fleet.ts';
import { ConditionsCache } from '../../src/instance/conditions-cache.ts';
import { FleetInForce } from '../../src/instance/fleet-in-force.ts';
import { Instance } from '../../src/instance/instance.ts';
import { ReceiptBuffer } from '../../src/instance/receipt-buffer.ts';
import { iotEndpoint, stateAccount } from '../../src/settings/settings.ts';
import type { FleetRevision } from '../../src/store/state/revisions.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';

const silent = () => {};
const CONTROLLER = 'dtmi:com:example:TemperatureController;1';
const CONTROLLER_FILE = {
  name: 'controller.json',
  text: JSON.stringify({
    '@context': 'dtmi:dtdl:context;2',
    '@id': CONTROLLER,
    '@type': 'Interface',
    contents: [{ '@type': 'Component', name: 'thermostat1', schema: 'dtmi:com:example:Thermostat;1' }],
  }),
};
const GOOD = '{"hubs":[{"host":"weu.azure-devices.net","region":"westeurope","tier":"S1"}]}';

describe('the fleet in force', () => {
  class Revisions {
    kept: string[] = [];
    last: string | undefined;
    models: Models = {};
    isAway = false;
    async keep(_: string, text: string, _build: string, models: Models = {}): Promise<void> {
      if (this.isAway) throw new Error('away');
      this.models = models;
      this.kept.push(text);
    }
    async lastGood(): Promise<FleetRevision | undefined> {
      if (this.isAway) throw new Error('away');
      return this.last === undefined ? undefined : { text: this.last, models: this.models };
    }
  }
  const load = (
    text: string | (() => string),
    revisions = new Revisions(),
    readModels: () => readonly ModelFile[] = () => [],
  ) => {
    const fleet = new FleetInForce({
      text: typeof text === 'function' ? text : () => text,
      modelFiles: readModels,
      read: parseFleetWithModels,
      revisions: async () => revisions,
      build: 'b',
      log: silent,
    });
    return { fleet, revisions };
  };

  test('comes from the file of the package when that is valid, and it is stored once', async () => {
    const { fleet, revisions } = load(GOOD);
    await fleet.synchronise();
    await fleet.synchronise();

    expect(fleet.current().hubs).toHaveLength(1);
    expect(fleet.problems).toEqual([]);
    expect(revisions.kept).toEqual([GOOD]);
  });

  test('includes the models next to the file and is stored with them', async () => {
    const { fleet, revisions } = load(GOOD, undefined, () => [CONTROLLER_FILE]);
    await fleet.synchronise();

    expect(fleet.current().models).toEqual({ [CONTROLLER]: ['thermostat1'] });
    expect(fleet.current().revision).not.toBe(load(GOOD).fleet.current().revision);
    expect(revisions.models).toEqual(fleet.current().models);
  });

  test.each<[string, () => readonly ModelFile[], RegExp]>([
    ['is invalid', () => [{ name: 'a.json', text: '{' }], /^models\/a\.json is not JSON/],
    [
      'cannot be read',
      () => {
        throw Object.assign(new Error(), { code: 'EACCES' });
      },
      /^models cannot be read \(EACCES\)/,
    ],
  ])('is the last valid one, with its models, when a model %s', async (_, readModels, problem) => {
    const revisions = new Revisions();
    revisions.last = GOOD;
    revisions.models = { [CONTROLLER]: ['thermostat1'] };
    const { fleet } = load(GOOD, revisions, readModels);
    await fleet.synchronise();

    expect(fleet.problems.map(({ path, message }) => `${path} ${message}`)).toEqual([
      expect.stringMatching(problem),
    ]);
    expect(fleet.current().models).toEqual(revisions.models);
  });

  test('is stored later when the state tables are unavailable at first', async () => {
    const { fleet, revisions } = load(GOOD);
    revisions.isAway = true;
    await fleet.synchronise();
    revisions.isAway = false;
    await fleet.synchronise();

    expect(revisions.kept).toEqual([GOOD]);
  });

  test.each<[string, string | (() => string)]>([
    ['is not JSON', '{"hubs":'],
    ['has problems', '{"hubs":[]}'],
    [
      'cannot be read',
      () => {
        throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
      },
    ],
  ])('is the last valid one when the file %s', async (_, text) => {
    const revisions = new Revisions();
    revisions.last = GOOD;
    const { fleet } = load(text, revisions);
    expect(() => fleet.current()).toThrow(expect.objectContaining({ code: 'BERTH_FLEET_INVALID' }));

    await fleet.synchronise();

    expect(fleet.current().hubs).toHaveLength(1);
    expect(fleet.problems).not.toEqual([]);
  });

  test('is absent, with a coded error, when there has never been a valid file', async () => {
    const { fleet } = load('{}');
    await fleet.synchronise();

    expect(() => fleet.current()).toThrow(/1 problem, and no earlier valid file/);
  });
});

describe('the stored conditions', () => {
  let time: EpochMs;
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
    time = epochMs(1_000_000);
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  const never = () => new Promise<typeof NO_CONDITIONS>(() => {});

  test('delay the first requests by at most a second and a half together when the store never answers, and later ones not at all', async () => {
    const cache = new ConditionsCache({ read: never, now: () => time });
    let answered = 0;
    const ask = () => cache.current().then(() => (answered += 1));
    void ask();
    await jest.advanceTimersByTimeAsync(1_000);
    void ask();
    await jest.advanceTimersByTimeAsync(499);
    expect(answered).toBe(0);
    await jest.advanceTimersByTimeAsync(2);
    expect(answered).toBe(2);

    expect(await cache.current()).toBe(NO_CONDITIONS);
  });

  test('are known to every request of a new instance whose first query takes a second', async () => {
    const read = (loadedAt: EpochMs) =>
      new Promise<typeof NO_CONDITIONS>((resolve) => {
        setTimeout(() => resolve({ ...NO_CONDITIONS, loadedAt }), 1_000);
      });
    const cache = new ConditionsCache({ read, now: () => time });
    const answers: Promise<typeof NO_CONDITIONS>[] = [];
    for (let requests = 0; requests < 20; requests += 1) {
      answers.push(cache.current());
      await jest.advanceTimersByTimeAsync(60);
    }

    expect(new Set((await Promise.all(answers)).map(({ loadedAt }) => loadedAt))).toEqual(new Set([time]));
  });

  test('that are old delay requests by at most a quarter of a second together when the store no longer answers', async () => {
    let isAway = false;
    const cache = new ConditionsCache({
      read: async (loadedAt) => (isAway ? never() : { ...NO_CONDITIONS, loadedAt }),
      now: () => time,
    });
    await cache.current();
    isAway = true;
    const before = time;
    time = plus(time, 61_000);
    let first: unknown;
    void cache.current().then(({ loadedAt }) => {
      first = loadedAt;
    });
    await jest.advanceTimersByTimeAsync(249);
    expect(first).toBeUndefined();
    await jest.advanceTimersByTimeAsync(2);

    expect(first).toBe(before);
    expect((await cache.current()).loadedAt).toBe(before);
  });

  test('are used without waiting until they are a minute old', async () => {
    let reads = 0;
    const read = async (loadedAt: EpochMs) => {
      reads += 1;
      return { ...NO_CONDITIONS, loadedAt };
    };
    const cache = new ConditionsCache({ read, now: () => time });
    expect((await cache.current()).loadedAt).toBe(time);
    time = plus(time, 59_000);
    await cache.current();
    expect(reads).toBe(1);
    time = plus(time, 2_000);

    expect((await cache.current()).loadedAt).toBe(time);
    expect(reads).toBe(2);
  });

  test('make a request wait again only after a refresh has succeeded', async () => {
    let isAway = true;
    const read = async (loadedAt: EpochMs) => {
      if (isAway) throw new Error('away');
      return { ...NO_CONDITIONS, loadedAt };
    };
    const cache = new ConditionsCache({ read, now: () => time });
    await cache.current();
    isAway = false;
    expect((await cache.current()).loadedAt).toBeUndefined();

    await cache.refresh();

    expect((await cache.current()).loadedAt).toBe(time);
  });

  test('are read by one query for any number of requests', async () => {
    let reads = 0;
    const read = async (loadedAt: EpochMs) => {
      reads += 1;
      await null;
      return { ...NO_CONDITIONS, loadedAt };
    };
    const cache = new ConditionsCache({ read, now: () => time });

    await Promise.all([cache.current(), cache.current(), cache.refresh()]);

    expect(reads).toBe(1);
  });
});

describe('receipts that wait to be stored', () => {
  const receipt = (at: string) => ({ receipt: { at } as Receipt, text: at });

  test('are stored together by a flush, in their order, and failed ones are counted', async () => {
    const kept: string[][] = [];
    const lines: unknown[] = [];
    const buffer = new ReceiptBuffer({
      keep: async (receipts) => {
        kept.push(receipts.map(({ text }) => text));
        return receipts.filter(({ text }) => text === 'bad').length;
      },
      log: (level, event, facts) => lines.push({ level, event, ...facts }),
    });
    for (const at of ['1', 'bad', '2']) buffer.add(receipt(at));
    await buffer.flush();
    await buffer.flush();

    expect(kept).toEqual([['1', 'bad', '2']]);
    expect(lines).toEqual([{ level: 'warn', event: 'receiptsLost', count: 1 }]);
  });

  test('are stored by the flush that runs if they come in between', async () => {
    const kept: number[] = [];
    const buffer = new ReceiptBuffer({
      keep: async ({ length }) => {
        if (kept.length === 0) for (const at of ['2', '3']) buffer.add(receipt(at));
        kept.push(length);
        return 0;
      },
      log: silent,
    });
    buffer.add(receipt('1'));
    await Promise.all([buffer.flush(), buffer.flush()]);

    expect(kept).toEqual([1, 2]);
  });

  test('are counted as lost if none of them can be stored', async () => {
    const lost: unknown[] = [];
    const buffer = new ReceiptBuffer({
      keep: () => Promise.reject(new Error('away')),
      log: (_, __, { count }) => lost.push(count),
    });
    for (const at of ['1', '2']) buffer.add(receipt(at));
    await buffer.flush();

    expect(lost).toEqual([2]);
  });

  test('are limited in number', async () => {
    let kept = 0;
    const lost: unknown[] = [];
    const buffer = new ReceiptBuffer({
      keep: async ({ length }) => {
        kept += length;
        return 0;
      },
      log: (_, __, { count }) => lost.push(count),
    });
    for (let index = 0; index < 1_200; index += 1) buffer.add(receipt(String(index)));
    await buffer.flush();

    expect([kept, lost]).toEqual([1_000, [200]]);
  });
});

describe('the app settings', () => {
  const CONNECTION = 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0';

  test.each([
    [
      { BERTH_STATE: 'UseDevelopmentStorage=true', AzureWebJobsStorage: 'b' },
      { kind: 'connectionString', connectionString: 'UseDevelopmentStorage=true' },
    ],
    [{ AzureWebJobsStorage: CONNECTION }, { kind: 'connectionString', connectionString: CONNECTION }],
    [
      { AzureWebJobsStorage__accountName: 'acc', AZURE_CLIENT_ID: 'me' },
      { kind: 'identity', tableServiceUri: 'https://acc.table.core.windows.net', clientId: 'me' },
    ],
    [
      {
        BERTH_STATE__tableServiceUri: 'https://s.table.core.windows.net',
        BERTH_STATE__clientId: 'it',
        AzureWebJobsStorage: 'b',
      },
      { kind: 'identity', tableServiceUri: 'https://s.table.core.windows.net', clientId: 'it' },
    ],
  ])('select the state account: %j', (env, account) => {
    expect(stateAccount(env)).toEqual(account);
  });

  test.each([
    { BERTH_STATE: 'https://acc.table.core.windows.net', AzureWebJobsStorage: 'UseDevelopmentStorage=true' },
    { AzureWebJobsStorage: 'c2VjcmV0' },
    { BERTH_STATE__tableServiceUri: 'acc' },
    { BERTH_STATE__tableServiceUri: 'ftp://acc' },
  ])('are refused without being shown: %j', (env) => {
    expect(() => stateAccount(env)).toThrow(
      expect.objectContaining({
        code: 'BERTH_SETTING_INVALID',
        message: expect.not.stringMatching(/c2VjcmV0|acc\b/),
      }),
    );
  });

  test('without a state account give an error that names the possible settings', () => {
    expect(() => stateAccount({})).toThrow(
      expect.objectContaining({
        code: 'BERTH_SETTING_INVALID',
        message: expect.stringContaining('AzureWebJobsStorage'),
      }),
    );
  });

  test.each(['http://127.0.0.1:7080', 'http://localhost:7080/', 'http://[::1]:7080'])(
    'accept the IOT_ENDPOINT %s',
    (endpoint) => {
      expect(iotEndpoint({ IOT_ENDPOINT: endpoint })).toMatch(/^http:\/\/[^/]+:7080$/);
    },
  );

  test.each([
    'https://127.0.0.1:1',
    'http://example.com',
    'http://127.0.0.1.example.com',
    '7080',
    'http://user:pw@localhost:1',
  ])('refuse the IOT_ENDPOINT %s', (endpoint) => {
    expect(() => iotEndpoint({ IOT_ENDPOINT: endpoint })).toThrow(
      expect.objectContaining({ code: 'BERTH_SETTING_INVALID' }),
    );
  });
});

test('an instance starts without any setting or file and fails only when it is used', async () => {
  const instance = new Instance({ env: {}, directory: '/nowhere', build: 'b', log: silent });
  instance.start();

  expect(() => instance.stores).toThrow(expect.objectContaining({ code: 'BERTH_SETTING_INVALID' }));
  expect(() => instance.fleet.current()).toThrow(expect.objectContaining({ code: 'BERTH_FLEET_INVALID' }));
  expect((await instance.conditions.current()).loadedAt).toBeUndefined();
  await instance.stop();
});
