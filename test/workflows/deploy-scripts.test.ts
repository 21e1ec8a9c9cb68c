import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { berth, listen } from '../cli/terminals.ts';
import { run, type ScriptProject, scriptProject } from './script-project.ts';

const SCRIPTS = readdirSync('scripts/deploy').filter((file) => file.endsWith('.sh'));

let stage: ScriptProject;
let project: string;
beforeEach(() => {
  stage = scriptProject();
  project = stage.path;
});

const write = (file: string, content: string, mode?: number) => stage.write(file, content, mode);
const read = (file: string) => stage.read(file);
const calls = () => stage.calls();
const script = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  stage.script(name, args, env);

async function commandsOfBerth(): Promise<ReadonlySet<string | undefined>> {
  const { cli, out } = listen();
  await berth(cli, '--help');
  return new Set([...out().matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, command]) => command));
}

describe('the deployment scripts', () => {
  test.each(SCRIPTS)('%s has valid bash syntax', async (name) => {
    expect(await run('bash', ['-n', join('scripts/deploy', name)], {})).toEqual({
      code: 0,
      out: '',
      err: '',
    });
  });

  test.each(SCRIPTS)('%s calls only scripts and berth commands that exist', async (name) => {
    const source = readFileSync(join('scripts/deploy', name), 'utf8');
    const commands = await commandsOfBerth();
    const called = [...source.matchAll(/^(?![ #]*#).*?\bberth ([a-z][\w-]*)/gm)].map(
      ([, command]) => command,
    );
    const files = [...source.matchAll(/\b(?:bash|node) (scripts\/[\w./-]+)/g)].map(([, file]) => file);

    expect(called.filter((command) => !commands.has(command ?? ''))).toEqual([]);
    expect(
      files.filter((file) => !readdirSync('scripts/deploy').includes(file?.split('/').at(-1) ?? '')),
    ).toEqual([]);
  });
});

describe('infra.sh', () => {
  const KEPT = 'kept --parameters infra/production.bicepparam';
  // kept-settings.test.ts has the tests of this script.
  beforeEach(() =>
    write(
      'scripts/deploy/kept-settings.mjs',
      `import { appendFileSync } from 'node:fs';
       appendFileSync(process.env.CALLS, ['kept', ...process.argv.slice(2)].join(' ') + '\\n');`,
    ),
  );

  test('names only files of infra/ that exist', () => {
    const source = readFileSync('scripts/deploy/infra.sh', 'utf8');
    const named = [...source.matchAll(/\binfra\/[\w.-]+\.(?:bicep|bicepparam)\b/g)].map(([file]) => file);

    expect(named).toEqual(expect.arrayContaining(['infra/main.bicep', 'infra/production.bicepparam']));
    expect(named.filter((file) => existsSync('infra') && !existsSync(file))).toEqual([]);
  });

  test('builds the template and every parameter file', async () => {
    expect((await script('infra.sh', ['build'])).code).toBe(0);

    expect(calls()).toEqual([
      'az bicep build --file infra/main.bicep --stdout',
      'az bicep build-params --file infra/production.bicepparam --stdout',
      'az bicep build-params --file infra/small.bicepparam --stdout',
    ]);
  });

  test.each<[string, string, Readonly<Record<string, string>>]>([
    ['resourceGroup', 'az deployment group create --name berth-7 --resource-group rg', {}],
    ['subscription', 'az deployment sub create --name berth-7 --location weu', { AZURE_LOCATION: 'weu' }],
  ])(
    'deploys a template with the scope %s, after it has looked what others added',
    async (scope, call, env) => {
      write('infra/main.bicep', `targetScope = '${scope}'\n`);

      expect((await script('infra.sh', ['apply'], { GITHUB_RUN_ID: '7', ...env })).code).toBe(0);

      expect(calls()).toEqual([
        `${KEPT}${scope === 'resourceGroup' ? ' --resource-group rg' : ''} --must-know`,
        `${call} --parameters infra/production.bicepparam --output none`,
      ]);
    },
  );

  test('reports the planned changes as plain text', async () => {
    const { code } = await script('infra.sh', ['what-if', 'report/a.md'], {
      AZ: "echo '+ create'; echo '~~~~~~'; echo '<img>'",
    });

    expect(code).toBe(0);
    expect(read('report/a.md')).toBe(
      '### Infrastructure: infra/production.bicepparam\n\n~~~~~~text\n+ create\n\n<img>\n~~~~~~\n\n',
    );
  });

  test('reports a failure of what-if and fails', async () => {
    const { code } = await script('infra.sh', ['what-if', 'report/a.md'], { AZ: 'echo no >&2; exit 3' });

    expect([code, read('report/a.md')]).toEqual([3, expect.stringContaining('\nno\n')]);
  });

  test.each<[string, string, number]>([
    ['succeeds where Azure has what the templates say', '0', 0],
    ['fails where a deployment would change resources', '2', 1],
    ['fails where Azure does not say how many would change', '', 1],
  ])('drift %s', async (_, changes, code) => {
    const said = await script('infra.sh', ['drift', 'report/a.md'], {
      AZ: `case "$*" in *--query*) echo "${changes}";; *) echo "~ modify";; esac`,
    });

    expect(said.code).toBe(code);
    expect(existsSync(join(project, 'report/a.md'))).toBe(code === 1);
    expect(calls().filter((call) => !call.includes('what-if'))).toEqual([`${KEPT} --resource-group rg`]);
  });

  test('drift fails where what-if fails', async () => {
    expect((await script('infra.sh', ['drift'], { AZ: 'exit 3' })).code).not.toBe(0);
  });

  test('names a missing setting, and lists its commands', async () => {
    expect(await script('infra.sh', ['apply'], { AZURE_RESOURCE_GROUP: '' })).toMatchObject({
      code: 1,
      err: 'AZURE_RESOURCE_GROUP is not set. docs/deploy.md describes it.\n',
    });
    expect(await script('infra.sh', ['aply'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('infra.sh apply'),
    });
  });
});

describe('connect.sh', () => {
  const env = { AZURE_SUBSCRIPTION_ID: 's' };

  test('writes the plan into a report, and fails with it', async () => {
    expect((await script('connect.sh', ['plan', 'report/a.md'], env)).code).toBe(0);
    expect(read('report/a.md')).toContain('### Hubs and DPS\n');
    expect((await script('connect.sh', ['plan'], { ...env, FAILS: 'connect' })).code).toBe(1);
  });

  test('fails for drift, and gives options to apply', async () => {
    await script('connect.sh', ['drift'], env);
    await script('connect.sh', ['apply', '--unlink', 'old.azure-devices.net'], env);

    expect(calls()).toEqual([
      'berth connect plan --fail-on-changes',
      'berth connect apply --unlink old.azure-devices.net',
    ]);
  });

  test('names a missing setting, and lists its commands', async () => {
    expect((await script('connect.sh', ['plan'])).err).toBe(
      'AZURE_SUBSCRIPTION_ID is not set. docs/deploy.md describes it.\n',
    );
    expect((await script('connect.sh', [])).err).toContain('connect.sh apply');
  });
});

describe('the scripts for the reports of a pull request', () => {
  test('fleet-report.sh validates the fleet file, and compares it if it changed', async () => {
    expect((await script('fleet-report.sh', ['base/fleet.json', 'report/1.md'])).code).toBe(0);

    expect(calls()).toEqual([
      'berth validate fleet.json',
      'berth what-if --fleet fleet.json --against base/fleet.json --devices 100000',
    ]);
    expect(read('report/1.md')).toContain('### Where 100,000 synthetic devices would go');
  });

  test('fleet-report.sh fails and reports the reason if the fleet file is not valid', async () => {
    const { code } = await script('fleet-report.sh', ['base/fleet.json', 'report/1.md'], {
      FAILS: 'validate',
    });

    expect([code, calls()]).toEqual([1, ['berth validate fleet.json']]);
    expect(read('report/1.md')).toContain('### Fleet file');
  });

  test('the reports estimate devices and twins only if the fleet file changed', async () => {
    write('base/fleet.json', read('fleet.json'));
    const env = { BERTH_STATE__tableServiceUri: 'https://a' };

    await script('fleet-report.sh', ['base/fleet.json', 'report/1.md']);
    await script('twins-report.sh', ['base/fleet.json', 'report/3.md'], env);

    expect(calls()).toEqual(['berth validate fleet.json']);
  });

  test('twins-report.sh estimates twins if only a model changed', async () => {
    write('base/fleet.json', read('fleet.json'));
    mkdirSync(join(project, 'models'));
    write('models/thermostat.json', '{}');

    await script('twins-report.sh', ['base/fleet.json', 'report/3.md'], {
      BERTH_STATE__tableServiceUri: 'https://a',
    });

    expect(calls()).toContain('berth what-if --twins --fleet fleet.json --against base/fleet.json --first 0');
  });

  test('twins-report.sh shows no patches, obeys the limits, and deletes the list of devices', async () => {
    const { code } = await script('twins-report.sh', ['base/fleet.json', 'report/3.md'], {
      BERTH_STATE__tableServiceUri: 'https://a',
      BERTH_MAX_MOVES: '5',
      BERTH_MAX_WRITES: '6',
      FAILS: '--max-moves',
      TMPDIR: project,
    });

    expect(code).toBe(1);
    expect(calls().slice(1)).toEqual([
      expect.stringMatching(
        /^berth what-if --fleet fleet\.json --against base\/fleet\.json --devices \S+ --max-moves 5$/,
      ),
      'berth what-if --twins --fleet fleet.json --against base/fleet.json --first 0 --max-writes 6',
    ]);
    expect(readdirSync(project).filter((file) => file.startsWith('tmp.'))).toEqual([]);
  });
});

describe('release.sh', () => {
  const releases = () =>
    calls()
      .filter((call) => call.includes('config-zip'))
      .map((call) => call.split(' --src')[0]);
  const release = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    script('release.sh', ['new.zip', ...args], { BERTH_APPS: 'eu us', BERTH_APP: '', ...env });
  const TO = 'az functionapp deployment source config-zip --resource-group rg --name';
  beforeEach(() =>
    write('scripts/deploy/smoke.sh', 'echo "smoke $1 $BERTH_APP"; [ "$BERTH_APP" != "$BROKEN" ]'),
  );

  test('deploys to one app after the other, and tests each', async () => {
    const { code, out } = await release([]);

    expect([code, out]).toEqual([0, 'eu\nsmoke new.zip eu\nus\nsmoke new.zip us\n']);
    expect(releases()).toEqual([`${TO} eu`, `${TO} us`]);
  });

  test('stops after the first app that fails its smoke test', async () => {
    expect([(await release([], { BROKEN: 'eu' })).code, releases()]).toEqual([1, [`${TO} eu`]]);
  });

  test('deploys to every app with --every-app, even if one fails its smoke test', async () => {
    const { code } = await release(['--every-app'], { BROKEN: 'eu' });

    expect([code, releases()]).toEqual([1, [`${TO} eu`, `${TO} us`]]);
  });

  test('runs no smoke test for an app whose deployment failed', async () => {
    const { code, out } = await release([], { AZ: 'exit 1' });

    expect([code, out]).toEqual([1, 'eu\n']);
  });
});

/** Answers as GitHub's API, as far as the scripts ask; `asked` is what it was asked. */
let github: Server | undefined;
afterEach(() => {
  github?.close();
  github = undefined;
});
async function answering(answers: Readonly<Record<string, unknown>>) {
  const asked: { readonly method: string | undefined; readonly path: string; readonly body: string }[] = [];
  github = createServer(async (request, response) => {
    const path = request.url?.replace('/repos/me/berth/', '') ?? '';
    asked.push({ method: request.method, path, body: await text(request) });
    const answer = request.method === 'GET' ? answers[path] : {};
    response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? null));
  });
  github.listen(0, '127.0.0.1');
  await once(github, 'listening');
  const env = {
    GITHUB_API_URL: `http://127.0.0.1:${(github.address() as AddressInfo).port}`,
    GITHUB_REPOSITORY: 'me/berth',
    GITHUB_TOKEN: 't',
    GITHUB_SHA: 'now',
  };
  return { asked, env };
}

describe('last-good.mjs', () => {
  const LIST = 'deployments?environment=production&per_page=100';
  const statuses = (id: number) => `deployments/${id}/statuses?per_page=100`;
  const DEPLOYMENTS = [
    { id: 3, sha: 'now' },
    { id: 2, sha: 'bad' },
    { id: 1, sha: 'good' },
  ];
  const HISTORY = {
    [LIST]: DEPLOYMENTS,
    [statuses(3)]: [{ state: 'in_progress' }],
    [statuses(2)]: [{ state: 'failure' }],
    [statuses(1)]: [{ state: 'inactive' }, { state: 'success' }],
  };

  test('prints the last commit that was deployed successfully, even if GitHub calls that deployment inactive now', async () => {
    const { env } = await answering(HISTORY);

    expect(await run('node', ['scripts/deploy/last-good.mjs', 'production'], env)).toMatchObject({
      code: 0,
      out: 'commit=good\n',
    });
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ['there is no deployment', { [LIST]: [] }],
    ['the last deployed commit is the current one', { ...HISTORY, [statuses(3)]: [{ state: 'success' }] }],
  ])('prints nothing where %s', async (_, answers) => {
    const { env } = await answering(answers);

    expect(await run('node', ['scripts/deploy/last-good.mjs', 'production'], env)).toMatchObject({
      code: 0,
      out: '',
    });
  });

  test('fails where GitHub does not answer, and does not claim that there is no deployment', async () => {
    const { env } = await answering({});

    expect(await run('node', ['scripts/deploy/last-good.mjs', 'production'], env)).toMatchObject({
      code: 1,
      err: `GitHub answered 404 to GET ${LIST}.\n`,
    });
  });
});

describe('comment.mjs', () => {
  const LIST = 'issues/5/comments?per_page=100&page=1';
  const comment = (env: Readonly<Record<string, string>>) =>
    run('node', ['scripts/deploy/comment.mjs', join(project, 'report')], { ...env, PULL_REQUEST: '5' });
  beforeEach(() => {
    mkdirSync(join(project, 'report'));
    write('report/2-b.md', 'second\n');
    write('report/1-a.md', 'first\n');
  });

  test('writes one comment with the reports in order', async () => {
    const { asked, env } = await answering({ [LIST]: [{ id: 1, body: 'hello', user: { type: 'User' } }] });

    expect((await comment(env)).code).toBe(0);

    expect(asked[1]).toMatchObject({ method: 'POST', path: 'issues/5/comments' });
    expect(JSON.parse(asked[1]?.body ?? '').body).toMatch(
      /^<!-- berth: what would change -->\n## What this would change\n\nfirst\n\nsecond\n$/,
    );
  });

  test('updates its own comment, not a copy that a person made', async () => {
    const body = '<!-- berth: what would change -->\nold';
    const { asked, env } = await answering({
      [LIST]: [
        { id: 1, body, user: { type: 'User' } },
        { id: 2, body, user: { type: 'Bot' } },
      ],
    });

    expect((await comment(env)).code).toBe(0);

    expect(asked[1]).toMatchObject({ method: 'PATCH', path: 'issues/comments/2' });
  });

  test('shortens a comment that is too long for GitHub', async () => {
    write('report/1-a.md', 'x'.repeat(100_000));
    const { asked, env } = await answering({ [LIST]: [] });

    expect((await comment(env)).code).toBe(0);

    const { body } = JSON.parse(asked[1]?.body ?? '') as { readonly body: string };
    expect(body.length).toBeLessThan(65_536);
    expect(body).toContain('The report is longer');
  });
});
