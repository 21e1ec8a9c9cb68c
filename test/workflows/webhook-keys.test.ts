import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ScriptProject, scriptProject } from './script-project.ts';

/** An `az` that knows apps, their host names, and the keys of allocateDevice, in `keys.json`. */
const AZ = `#!/usr/bin/env node
const fs = require('node:fs');
const args = process.argv.slice(2);
fs.appendFileSync(process.env.CALLS, 'az ' + args.join(' ') + '\\n');
const given = (name) => args[args.indexOf(name) + 1];
const keys = JSON.parse(fs.readFileSync('keys.json', 'utf8'));
const app = keys[given('--name')];
if (app === undefined) process.exit(3);
if (args[1] === 'show') console.log(given('--name') + '.azurewebsites.net ' + given('--name') + '.example.com');
else if (args.includes('list')) console.log(app[JSON.parse(given('--query'))] ?? '');
else if (args.includes('set')) {
  app[given('--key-name')] = args.includes('--key-value') ? given('--key-value') : 'made-' + given('--name');
  fs.writeFileSync('keys.json', JSON.stringify(keys));
}
`;
const EU = 'https://eu.azurewebsites.net/api/allocate';
const US = 'https://us.azurewebsites.net/api/allocate';
const DOOR = 'https://door.azurefd.net/api/allocate';
const line = (...columns: readonly string[]) => `${columns.join('\t')}\n`;
const ONE = line(EU, 'BERTH_WEBHOOK_KEY', 'berth', 'https://eu.azurewebsites.net');
const TWO = ONE + line(US, 'US_KEY', 'dps-2026', 'https://us.azurewebsites.net');
const BEHIND_A_DOOR = line(
  DOOR,
  'BERTH_WEBHOOK_KEY',
  'dps-2026',
  'https://eu.azurewebsites.net https://US.azurewebsites.net',
);

let stage: ScriptProject;
const keys = (apps: object) => stage.write('keys.json', JSON.stringify(apps));
const keysNow = () => JSON.parse(stage.read('keys.json'));
const berthCalls = () => stage.calls().filter((call) => call.startsWith('berth '));
const enrollments = (command: string, webhooks: string, env: Readonly<Record<string, string>> = {}) =>
  stage.script('enrollments.sh', [command], {
    WEBHOOKS: webhooks,
    BERTH_APPS: 'eu us',
    BERTH_DPS__hostName: 'dps',
    KEY_TRIES: '2',
    ...env,
  });
beforeEach(() => {
  stage = scriptProject();
  stage.write('bin/az', AZ, 0o755);
});

describe('the keys of webhooks in enrollments.sh', () => {
  test('each URL gets the key of its own app, by the name that the file gives the key', async () => {
    keys({ eu: { default: 'd-eu', berth: 'k-eu' }, us: { default: 'd-us', 'dps-2026': 'k-us' } });

    const { code, out } = await enrollments('apply', TWO, { SHOWS: 'US_KEY' });

    expect([code, out]).toEqual([0, 'key k-eu k-us\nkey k-eu k-us\n']);
    expect(berthCalls()).toEqual(['berth enroll webhooks', 'berth enroll check', 'berth enroll apply']);
  });

  test('never reads or writes the key default', async () => {
    keys({ eu: { default: 'd-eu' }, us: { default: 'd-us' } });

    const { out } = await enrollments('apply', TWO, { SHOWS: 'US_KEY' });

    expect(out).not.toContain('d-');
    expect(stage.calls().filter((call) => call.includes('default'))).toEqual([]);
    expect(keysNow()).toEqual({
      eu: { default: 'd-eu', berth: 'made-eu' },
      us: { default: 'd-us', 'dps-2026': 'made-us' },
    });
  });

  test('all apps behind one URL get one key, which an app that has it keeps', async () => {
    keys({ eu: {}, us: { 'dps-2026': 'k-us' } });

    expect(await enrollments('apply', BEHIND_A_DOOR)).toMatchObject({ code: 0, out: 'key k-us\nkey k-us\n' });
    expect(keysNow()).toEqual({ eu: { 'dps-2026': 'k-us' }, us: { 'dps-2026': 'k-us' } });
  });

  test('changes nothing where apps behind one URL have different keys of one name', async () => {
    const apps = { eu: { 'dps-2026': 'k-eu' }, us: { 'dps-2026': 'k-us' } };
    keys(apps);

    const { code, err } = await enrollments('apply', BEHIND_A_DOOR);

    expect([code, err]).toEqual([1, expect.stringContaining('Write another keyName')]);
    expect([keysNow(), berthCalls()]).toEqual([apps, ['berth enroll webhooks']]);
  });

  test('names a URL whose apps it does not know, and what to write', async () => {
    keys({ eu: {}, us: {} });

    const { code, err } = await enrollments(
      'apply',
      line(DOOR, 'BERTH_WEBHOOK_KEY', 'berth', 'https://door.azurefd.net'),
    );

    expect([code, err]).toEqual([1, expect.stringMatching(/door\.azurefd\.net is no app .* "apps"/)]);
    expect(berthCalls()).toEqual(['berth enroll webhooks']);
  });

  test('knows an app by a host name of its own domain', async () => {
    keys({ eu: { berth: 'k-eu' }, us: {} });

    expect(
      await enrollments(
        'check',
        line('https://eu.example.com/api/allocate', 'BERTH_WEBHOOK_KEY', 'berth', 'https://eu.example.com'),
      ),
    ).toMatchObject({ code: 0, out: 'key k-eu\n' });
  });

  test('writes no enrollment where an app does not accept the key of its URL', async () => {
    keys({ eu: {}, us: {} });

    expect((await enrollments('apply', TWO, { FAILS: 'enroll check' })).code).toBe(1);
    expect(berthCalls()).toEqual(['berth enroll webhooks', 'berth enroll check', 'berth enroll check']);
  });

  test('rotate writes the key of each URL to the enrollments that call it', async () => {
    keys({ eu: {}, us: {} });

    expect((await enrollments('rotate', TWO)).code).toBe(0);

    expect(berthCalls().slice(-2)).toEqual([
      `berth enroll rotate-key --webhook ${EU} --new-key-env BERTH_WEBHOOK_KEY`,
      `berth enroll rotate-key --webhook ${US} --new-key-env US_KEY`,
    ]);
  });

  test('masks each key in the log of a workflow', async () => {
    keys({ eu: { berth: 'k-eu' }, us: { 'dps-2026': 'k-us' } });

    const { err } = await enrollments('apply', TWO, { GITHUB_ACTIONS: 'true' });

    expect(new Set(err.trim().split('\n'))).toEqual(new Set(['::add-mask::k-eu', '::add-mask::k-us']));
  });

  test('drift compares with DPS and writes nothing', async () => {
    expect((await enrollments('drift', ONE, { FAILS: '--fail-on-changes' })).code).toBe(1);
    expect(stage.calls()).toEqual(['berth enroll plan --fail-on-changes']);
  });

  test('plan needs no key, and no other command changes anything where keys cannot be read', async () => {
    stage.write('bin/az', '#!/bin/sh\necho "az $*" >> "$CALLS"\nexit 1\n', 0o755);

    expect((await enrollments('plan', ONE, { BERTH_APPS: '' })).code).toBe(0);
    expect(stage.calls()).toEqual(['berth enroll plan']);
    expect((await enrollments('apply', ONE)).code).not.toBe(0);
    expect(berthCalls()).toEqual(['berth enroll plan']);
  });
});

describe('function_key', () => {
  test('asks again while a new app does not list its functions, and gives up with a reason', async () => {
    stage.write(
      'bin/az',
      '#!/bin/sh\necho "az $*" >> "$CALLS"\ncase "$*" in *show*) echo eu.azurewebsites.net;; *) exit 1;; esac\n',
      0o755,
    );

    const { code, err } = await enrollments('apply', ONE, { BERTH_APPS: 'eu', KEY_TRIES: '3' });

    expect([code, err]).toEqual([1, expect.stringContaining('Cannot read the keys of allocateDevice')]);
    expect(stage.calls().filter((call) => call.includes('keys list'))).toHaveLength(3);
  });
});
