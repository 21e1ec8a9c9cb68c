import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { RULES } from './rules.ts';
import { actionlint, readWorkflow } from './workflow.ts';

const FOLDER = '.github/workflows';
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const FILES = readdirSync(FOLDER);
const DEPLOY = read('deploy.yml');

/** As GitHub writes them. */
const expression = (text: string) => `$\{{ ${text} }}`;

/** What all rules say of a workflow. */
const broken = (text: string) => Object.values(RULES).flatMap((rule) => rule(text, readWorkflow(text)));

describe('the workflows', () => {
  test('actionlint reports no problems', async () => {
    expect(await actionlint(FILES.map(read))).toEqual(FILES.map(() => []));
  });

  test.each(FILES.flatMap((file) => Object.keys(RULES).map((rule) => [file, rule] as const)))(
    '%s keeps the rule: %s',
    (file, rule) => {
      expect(RULES[rule]?.(read(file), readWorkflow(read(file)))).toEqual([]);
    },
  );

  test('CI runs .ci/run for every pull request and every branch, and for main as part of the deployment', () => {
    const { on, jobs } = readWorkflow(read('ci.yml'));

    expect(jobs.check?.steps.at(-1)?.run).toBe('bash .ci/run');
    expect(on).toEqual({
      pull_request: null,
      push: { 'branches-ignore': ['main'] },
      workflow_call: null,
    });
    expect(readWorkflow(DEPLOY).on).toMatchObject({ push: { branches: ['main'] } });
    expect(readWorkflow(DEPLOY).jobs.ci?.uses).toBe('./.github/workflows/ci.yml');
  });

  test('a deployment is never cancelled, and never runs at the same time as another one', () => {
    expect(readWorkflow(DEPLOY).concurrency).toEqual({
      group: `deploy-${expression("github.event_name == 'pull_request' && github.event.number || 'production'")}`,
      'cancel-in-progress': expression("github.event_name == 'pull_request'"),
    });
  });
});

describe('the deployment of main', () => {
  const { jobs } = readWorkflow(DEPLOY);
  const indexOf = (script: string) =>
    (jobs.deploy?.steps ?? []).findIndex(({ run }) => run?.includes(script)) + 1;

  test('shows a plan before the environment production asks its reviewers', () => {
    expect(jobs.plan).toMatchObject({ environment: 'plan', needs: ['ci', 'package'] });
    expect(jobs.deploy).toMatchObject({ environment: 'production', needs: ['ci', 'package', 'plan'] });
    expect(jobs.plan?.steps.map(({ run }) => run)).toContain(
      'bash scripts/deploy/infra.sh what-if "$GITHUB_STEP_SUMMARY"',
    );
  });

  test('changes the infrastructure only with a plan, and nothing after a plan that failed', () => {
    expect(jobs.deploy?.steps[indexOf('infra.sh apply') - 1]?.if).toContain("needs.plan.result == 'success'");
    expect(jobs.deploy?.if).toContain("(needs.plan.result == 'success' || needs.plan.result == 'skipped')");
  });

  test('connects hubs and DPS after the infrastructure, and only with a plan of both', () => {
    expect(indexOf('connect.sh apply')).toBe(indexOf('infra.sh apply') + 1);
    expect(jobs.deploy?.steps[indexOf('connect.sh apply') - 1]?.if).toContain(
      "needs.plan.result == 'success'",
    );
    for (const job of [jobs.plan, jobs.preview])
      expect(job?.steps.flatMap(({ run }) => run ?? [])).toContainEqual(
        expect.stringMatching(/^bash scripts\/deploy\/connect\.sh plan /),
      );
  });

  test('writes enrollments only after the apps answer', () => {
    expect(indexOf('infra.sh apply')).toBeGreaterThan(0);
    expect(indexOf('release.sh packages/new.zip')).toBeGreaterThan(indexOf('infra.sh apply'));
    expect(indexOf('enrollments.sh apply')).toBeGreaterThan(indexOf('release.sh packages/new.zip'));
  });
});

describe('the check for drift', () => {
  const { on, jobs } = readWorkflow(read('drift.yml'));

  test('runs on a schedule and by hand, with the identity that may only read', () => {
    expect(Object.keys(on).sort()).toEqual(['schedule', 'workflow_dispatch']);
    expect(jobs.drift?.environment).toBe('plan');
    expect(read('drift.yml')).not.toContain('vars.AZURE_CLIENT_ID');
  });

  test('looks at the infrastructure, at hubs and DPS, and at the enrollments, and changes nothing', () => {
    const scripts = jobs.drift?.steps.flatMap(({ run }) => run?.match(/scripts\/deploy\/\S+ \S+/) ?? []);

    expect(scripts).toEqual([
      'scripts/deploy/infra.sh drift',
      'scripts/deploy/connect.sh drift',
      'scripts/deploy/enrollments.sh drift',
    ]);
  });
});

describe('the job with Azure Functions Core Tools', () => {
  test('installs them by their npm package, and runs the loop', () => {
    expect(
      readWorkflow(read('ci.yml'))
        .jobs.func?.steps.slice(-2)
        .map(({ run }) => run),
    ).toEqual([
      expect.stringMatching(/^npm install --global azure-functions-core-tools@4\.\d+\.\d+$/),
      'npm run test:func',
    ]);
  });
});

describe('the rules for workflows', () => {
  const CHECKOUT = /actions\/checkout@[0-9a-f]{40}/;

  test.each<[string, string | RegExp, string, string]>([
    ['an action that is pinned by its tag', CHECKOUT, 'actions/checkout@v7', 'is not pinned'],
    ['an action that is pinned by a short commit', CHECKOUT, 'actions/checkout@3d3c42e', 'is not pinned'],
    ['a pinned action without its version', / # v7\.0\.1/, '', 'is not pinned'],
    ['two different pins of one action', CHECKOUT, `actions/checkout@${'0'.repeat(40)}`, 'is pinned as'],
    [
      'permissions for all jobs',
      'permissions: {}',
      'permissions:\n  contents: write',
      'no permissions to all',
    ],
    [
      'a job without permissions',
      /\n {4}permissions:\n {6}contents: read\n/,
      '\n',
      'check says no permissions',
    ],
    ['a job without a timeout', /\n {4}timeout-minutes: \d+/, '', 'check has no timeout-minutes'],
    ['an unused permission to sign in', 'deployments: read', 'id-token: write', 'package may sign in and'],
    ['a sign-in without the permission', 'id-token: write', 'actions: read', 'preview signs in without'],
    [
      'a job with both a cache and a sign-in',
      'package-manager-cache: false',
      'cache: npm',
      'preview signs in and uses a cache',
    ],
    [
      'a checkout that keeps its token',
      'persist-credentials: false',
      'fetch-depth: 1',
      'without persist-credentials',
    ],
    [
      'an expression in a script',
      'infra.sh build',
      `infra.sh ${expression('github.head_ref')}`,
      'has an expression',
    ],
    ['a stored secret', expression('github.token'), expression('secrets.PAT'), 'secrets.PAT'],
    [
      'a script that does not exist',
      'scripts/deploy/release.sh',
      'scripts/deploy/gone.sh',
      'gone.sh does not exist',
    ],
    [
      'a program that does not exist',
      'scripts/deploy/comment.mjs',
      'scripts/gone.mjs',
      'scripts/gone.mjs does not',
    ],
    ['an npm script that does not exist', 'npm run package', 'npm run pack', 'pack does not exist'],
    ['a workflow that does not exist', 'workflows/ci.yml', 'workflows/gone.yml', 'gone.yml does not exist'],
    [
      'a variable that is not documented',
      'vars.BERTH_STAMP',
      'vars.BERTH_STAMPS',
      'vars.BERTH_STAMPS is not in',
    ],
    [
      'a script of more than three lines in YAML',
      'npm run build\n',
      '|\n          a\n          b\n          c\n          d\n',
      'more than three lines',
    ],
  ])('the rules report %s', (_, what, instead, problem) => {
    const text = DEPLOY.replace(what, instead);
    expect(text).not.toBe(DEPLOY);

    expect(broken(text)).toContainEqual(expect.stringContaining(problem));
  });

  /** actionlint 1.7.7 is older than v3. */
  const LOGIN = /azure\/login@[0-9a-f]{40} # v3\.0\.1/g;
  const FOR_ACTIONLINT: readonly (readonly [string, string, string])[] = [
    ['steps.release.outcome', 'steps.releases.outcome', '"releases" is not defined'],
    ['needs: [ci, package]', 'needs: [cd]', '"cd"'],
    ['timeout-minutes:', 'timeout-hours:', 'unexpected key "timeout-hours"'],
    ['workflow_dispatch:', 'by_hand:', 'unknown Webhook event "by_hand"'],
    ['deployments: read', 'deploys: read', 'unknown permission scope "deploys"'],
    ['ubuntu-24.04', 'ubuntu-42.04', 'label "ubuntu-42.04" is unknown'],
  ];

  test('actionlint reports names and keys that GitHub does not know', async () => {
    const texts = FOR_ACTIONLINT.map(([what, instead]) => DEPLOY.replace(what, instead));
    for (const text of texts) expect(text).not.toBe(DEPLOY);

    const found = await actionlint(texts);

    for (const [index, [, , problem]] of FOR_ACTIONLINT.entries()) {
      expect(found[index]).toContainEqual(expect.stringContaining(problem));
    }
  });

  test('actionlint reports unknown inputs of an action that is pinned by its commit', async () => {
    const [found] = await actionlint([
      DEPLOY.replace(LOGIN, `azure/login@${'0'.repeat(40)} # v2.0.0`).replace('tenant-id', 'tenant'),
    ]);

    expect(found).toContainEqual(expect.stringContaining('input "tenant" is not defined'));
  });
});
