import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { whyNotApprover } from '../../src/cli/rollouts/approver.ts';
import { validFleet } from '../../src/cli/shell/files.ts';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { controlSchema } from '../../src/control/control.ts';
import { withPackage } from '../../src/control/packages.ts';
import { settingContents } from '../../src/edge/setting-contents.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { rolloutContents } from '../../src/fleet/fleet.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { storageAccount } from '../support/storage-account.ts';
import { berth, listen, NOW } from './terminals.ts';

const HOUR = 3_600_000;
const TEXT = JSON.stringify({
  hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
  twins: {
    policies: [
      {
        name: 'interval',
        desired: { interval: 5 },
        rollout: {
          stages: [
            { name: 'lab', where: "tags.ring == 'lab'", atLeast: '3h' },
            { name: 'all', share: 1, atLeast: '6h' },
          ],
        },
      },
      {
        name: 'strict',
        desired: { level: 1 },
        rollout: {
          stages: [
            { name: 'tenth', share: 0.1, approve: true },
            { name: 'all', share: 1 },
          ],
          approvers: ['ann@contoso.com'],
        },
      },
      { name: 'plain', desired: { mode: 'eco' } },
    ],
  },
  edge: {
    registries: [{ address: 'a.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }],
    deployments: [
      {
        name: 'sensor',
        modules: { sensor: { image: 'a.io/sensor:1' } },
        rollout: {
          stages: [
            { name: 'lab', where: "tags.ring == 'lab'" },
            { name: 'all', share: 1 },
          ],
        },
      },
    ],
  },
});
const FLEET = validFleet(parseFleet(TEXT), 'the file');
const [INTERVAL] = FLEET.twins.policies;

let env: Readonly<Record<string, string>>;
let state: State;
beforeAll(async () => {
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
  await state.revisions.keep(FLEET.revision, TEXT, '2026', {}, 'Bob <bob@contoso.com>');
}, 60_000);
beforeEach(async () => {
  const began = plus(NOW, -2 * HOUR);
  await state.control.update(() =>
    withPackage(controlSchema.parse({}), '2026', FLEET.twins.policies, began, FLEET.revision),
  );
});

async function run(...command: readonly string[]): Promise<{ out: string; err: string }> {
  const { cli, out, err } = listen(env);
  expect(await berth(cli, 'rollouts', ...command)).toBe(0);
  return { out: out(), err: err() };
}
/** Two packages with these values of all settings, one after the other. */
async function rotate(...values: readonly string[]): Promise<void> {
  for (const value of values) {
    const contents = settingContents(FLEET.edge, () => value, Buffer.alloc(32, 1));
    const packaged = [...rolloutContents(FLEET), ...contents];
    await state.control.update((row) => withPackage(row, '2026', packaged, NOW, FLEET.revision));
  }
}
const rollout = async () => (await state.control.read()).rollouts[INTERVAL?.hash ?? ''];
const why = ['--reason', 'test'] as const;

describe('the changed values of settings of a deployment', () => {
  test('are not listed before they have changed', async () => {
    await rotate('one');

    expect((await run('list')).out).not.toContain('sensor/settings');
  });

  test('are listed with their stage', async () => {
    await rotate('one', 'two');

    expect((await run('list')).out).toMatch(/^sensor\/settings +running +lab /m);
  });

  test('cannot be rolled back: their rollout is paused, and the command says why', async () => {
    await rotate('one', 'two');
    const { err } = await run('rollback', 'sensor/settings', ...why);

    expect(err).toMatch(/The rollout of the values of settings sensor\/settings is paused, by .*: test\./);
    expect(err).toContain('Berth has no earlier values of settings, so it cannot give them back');
    expect((await run('show', 'sensor/settings')).out).toMatch(/^sensor\/settings: paused /m);
  });
});

describe('berth rollouts', () => {
  test('list shows every rollout in stages', async () => {
    const { out } = await run('list');

    expect(out).toMatch(/^interval +running +lab +2 h ago +0 +0 +0 +0$/m);
    expect(out).toMatch(/^strict +needs approval +-/m);
    expect(out).not.toContain('plain');
  });

  test('show has a row for each stage, with its estimated end', async () => {
    const { out } = await run('show', 'interval');

    expect(out).toMatch(/^interval: running$/m);
    expect(out).toMatch(
      /^stage +state +take part +reached +in sync +pending +rejected +lost +silent before +ends at about$/m,
    );
    expect(out).toMatch(/^lab +running +0 .*\d{4}-\d\d-\d\dT\d\d:\d\dZ$/m);
    expect(out).toMatch(/^all +later +0 /m);
    expect(out).toMatch(/^Stage lab is not done: the least time of the stage is not over\.$/m);
  });

  test('show and list write JSON for programs', async () => {
    expect(JSON.parse((await run('show', 'interval', '--json')).out)).toMatchObject({
      policy: 'interval',
      status: 'running',
      gate: { inSync: 0.95 },
      gateWaits: 'the least time of the stage is not over',
      approvable: 'all',
      onFailure: 'pause',
      approvers: [],
      stages: [{ name: 'lab' }, { name: 'all' }],
    });
    expect(JSON.parse((await run('list', '--json')).out)).toMatchObject({ rollouts: [{}, {}, {}] });
  });

  test('pause and resume store who did it and why', async () => {
    const { err } = await run('pause', 'interval', ...why);
    expect(err).toContain('The rollout of the policy interval is paused, by ');
    expect(await rollout()).toMatchObject({ pause: { reason: 'test', at: NOW } });
    expect((await run('show', 'interval')).out).toMatch(/^interval: paused \(.*: test\)$/m);
    await run('resume', 'interval', ...why);

    expect((await rollout())?.pause).toBeUndefined();
    expect((await state.control.read()).pastPauses).toMatchObject([
      { reason: 'test', resumed: { reason: 'test' } },
    ]);
  });

  test('approve allows the next stage, and show names who did it', async () => {
    await run('approve', 'interval', ...why);

    expect(await rollout()).toMatchObject({ approvals: [{ stage: 'all', reason: 'test' }] });
    expect((await run('show', 'interval')).out).toMatch(/^Stage all was approved .*: test\.$/m);
  });

  test('abort ends the rollout, and rollback gives the earlier values back', async () => {
    await run('abort', 'interval', ...why);
    expect(await rollout()).toMatchObject({ end: { kind: 'aborted' } });
    await run('rollback', 'interval', '--in-stages', ...why);

    expect(await rollout()).toMatchObject({ end: { kind: 'rolledBack', stage: { name: 'lab' } } });
    expect((await run('list')).out).toMatch(/^interval +rolling back/m);
  });

  test.each([
    [['resume', 'interval', ...why], 'BERTH_ROLLOUT_REFUSED', 'it is not paused'],
    [['pause', 'plain', ...why], 'BERTH_ROLLOUT_REFUSED', 'it has none'],
    [['show', 'missing'], 'BERTH_POLICY_UNKNOWN', 'Unknown policy: "missing"'],
    [['approve', 'strict', ...why], 'BERTH_APPROVAL_REFUSED', 'an account key opens the state tables'],
  ])('%j is refused with a coded error, and nothing changes', async (command, code, message) => {
    const before = await state.control.read();

    await expect(berth(listen(env).cli, 'rollouts', ...command)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(await state.control.read()).toEqual(before);
  });

  describe('with several deployments', () => {
    let other: State;
    const both = ['--state', 'setting:ONE', '--state', 'setting:TWO'] as const;
    const run = async (...command: readonly string[]) => {
      const accounts = { ONE: env.AzureWebJobsStorage, TWO: second };
      const { cli, out, err } = listen(accounts);
      const code = await berth(cli, 'rollouts', ...command, ...both);
      return { code, out: out(), err: err() };
    };
    let second: string;
    beforeAll(async () => {
      second = await storageAccount();
      other = openState({ AzureWebJobsStorage: second });
      await other.revisions.keep(FLEET.revision, TEXT, '2026', {}, 'Bob <bob@contoso.com>');
      await other.control.update(() =>
        withPackage(controlSchema.parse({}), '2026', FLEET.twins.policies, plus(NOW, -HOUR), FLEET.revision),
      );
    }, 60_000);

    test('list shows the rollouts of each, with the state tables', async () => {
      const { out } = await run('list');

      expect(out).toMatch(/^state tables +policy +rollout/m);
      expect(out).toMatch(/^127\.0\.0\.1:\d+ +interval +running +lab +2 h ago/m);
      expect(out).toMatch(/^127\.0\.0\.1:\d+ +interval +running +lab +(60 min|1 h) ago/m);
      expect(JSON.parse((await run('show', 'interval', '--json')).out)).toMatchObject({
        deployments: [{ rollout: { policy: 'interval' } }, { rollout: { policy: 'interval' } }],
      });
    });

    test('a change reaches each, and a deployment that refuses does not stop the others', async () => {
      const paused = await run('pause', 'interval', ...why);
      expect(paused.code).toBe(0);
      expect(paused.err.match(/is paused, by /g)).toHaveLength(2);
      expect((await other.control.read()).rollouts[INTERVAL?.hash ?? '']).toMatchObject({
        pause: { reason: 'test' },
      });

      await other.control.update((row) => ({ ...row, rollouts: {} }));
      const resumed = await run('resume', 'interval', ...why);

      expect(resumed.code).toBe(1);
      expect(resumed.err).toMatch(/^127\.0\.0\.1:\d+: .* is resumed, by /m);
      expect(resumed.err).toMatch(/it is not paused\. .*\[BERTH_ROLLOUT_REFUSED\]$/m);
      expect(resumed.err).toContain('1 of 2 deployments were not changed.');
      expect((await rollout())?.pause).toBeUndefined();
    });

    test.each([
      [['--state', 'setting:NONE'], 'BERTH_SETTING_INVALID', /setting NONE is not set/],
      [['--state', 'weu'], 'BERTH_ARGUMENT_INVALID', /write https:\/\/ACCOUNT/],
      [['--state', 'https://a.example', '--state', 'https://a.example'], 'BERTH_ARGUMENT_INVALID', /twice/],
    ])('refuses %j', async (states, code, message) => {
      await expect(berth(listen(env).cli, 'rollouts', 'list', ...states)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    });

    test('refuses a connection string without repeating its key', async () => {
      const text = `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${Buffer.from('secret').toString('base64')}`;

      await expect(berth(listen(env).cli, 'rollouts', 'list', '--state', text)).rejects.toMatchObject({
        code: 'BERTH_ARGUMENT_INVALID',
        message: expect.not.stringContaining('AccountKey'),
      });
    });
  });

  test('the stored revision names the author of the package', async () => {
    expect(await state.revisions.get(FLEET.revision)).toMatchObject({ author: 'Bob <bob@contoso.com>' });
  });
});

describe('an approver', () => {
  const approvers = ['ann@contoso.com', 'bob@contoso.com', 'application 7'];
  const packageAuthor = 'Bob <bob@contoso.com>';

  test.each([
    ['with an Entra sign-in of the list', 'ann@contoso.com'],
    ['in another case', 'Ann@Contoso.com'],
    ['that is an application', 'application 7'],
  ])('may approve %s', (_, signIn) => {
    expect(whyNotApprover({ signIn, packageAuthor, approvers })).toBeUndefined();
  });

  test('may be anybody, also with an account key, if the file names no approvers', () => {
    expect(whyNotApprover({ signIn: undefined, packageAuthor: undefined, approvers: [] })).toBeUndefined();
  });

  test.each([
    ['an account key', undefined, packageAuthor, 'a key is no person'],
    ['a sign-in that is not in the list', 'eve@contoso.com', packageAuthor, 'is not one of its approvers'],
    ['the author of the package', 'bob@contoso.com', packageAuthor, 'is the author of the package'],
    [
      'the author of the package in another case',
      'BOB@contoso.com',
      packageAuthor,
      'is the author of the package',
    ],
    ['anybody if the package names no author', 'ann@contoso.com', undefined, 'does not name the author'],
  ])('may not be %s', (_, signIn, author, message) => {
    expect(whyNotApprover({ signIn, packageAuthor: author, approvers })).toContain(message);
  });
});
