import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, Step, Workflow } from './workflow.ts';

/** A rule of this project for workflows: what is wrong, or nothing. */
export type Rule = (text: string, workflow: Workflow) => readonly string[];

const jobsOf = ({ jobs }: Workflow) => Object.entries(jobs);
const stepsOf = (workflow: Workflow) =>
  jobsOf(workflow).flatMap(([name, job]) => job.steps.map((step) => ({ name, job, step })));
const usesOf = (job: Job, action: string) => job.steps.some(({ uses }) => uses?.startsWith(`${action}@`));

/** Whoever can move a tag of an action could else run code here. */
export const pinned: Rule = (text) =>
  [...text.matchAll(/^[ -]*uses: *(.*)$/gm)]
    .map(([, uses = '']) => uses)
    .filter((uses) => !uses.startsWith('./'))
    .filter((uses) => !/^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(uses))
    .map((uses) => `${uses} is not pinned: write owner/name@<commit> # v1.2.3`);

export const onePin: Rule = (text) => {
  const seen = new Map<string, string>();
  return [...text.matchAll(/uses: *([\w./-]+)@(.*)$/gm)].flatMap(([, action = '', pin = '']) => {
    const first = seen.get(action) ?? pin;
    seen.set(action, first);
    return first === pin ? [] : [`${action} is pinned as ${pin} and as ${first}`];
  });
};

export const leastPermissions: Rule = (_, workflow) => [
  ...(workflow.permissions !== undefined && Object.keys(workflow.permissions).length === 0
    ? []
    : ['the workflow must give no permissions to all jobs: permissions: {}']),
  ...jobsOf(workflow).flatMap(([name, job]) =>
    job.permissions === undefined ? [`${name} says no permissions`] : [],
  ),
];

export const signInOnlyWhereNeeded: Rule = (_, workflow) =>
  jobsOf(workflow).flatMap(([name, job]) => {
    const may = job.permissions?.['id-token'] === 'write';
    const does = usesOf(job, 'azure/login');
    if (may === does) return [];
    return [may ? `${name} may sign in and does not` : `${name} signs in without id-token: write`];
  });

/** A cache may have been filled by a run that was allowed less. */
export const noCacheBesideSignIn: Rule = (_, workflow) =>
  stepsOf(workflow)
    .filter(({ job, step }) => usesOf(job, 'azure/login') && step.uses?.startsWith('actions/setup-node@'))
    .filter(({ step }) => step.with['package-manager-cache'] !== false || 'cache' in step.with)
    .map(({ name }) => `${name} signs in and uses a cache`);

export const timeouts: Rule = (_, workflow) =>
  jobsOf(workflow)
    // A called workflow has timeouts of its own, and the call may have none.
    .filter(([, job]) => job.uses === undefined && job['timeout-minutes'] === undefined)
    .map(([name]) => `${name} has no timeout-minutes`);

export const noTokenLeftBehind: Rule = (_, workflow) =>
  stepsOf(workflow)
    .filter(
      ({ step }) => step.uses?.startsWith('actions/checkout@') && step.with['persist-credentials'] !== false,
    )
    .map(({ name }) => `${name} checks out without persist-credentials: false`);

/** An expression in a script is code of whoever may write what it stands for, such as the name of a branch. */
export const noExpressionsInScripts: Rule = (_, workflow) =>
  stepsOf(workflow)
    .filter(({ step }) => step.run?.includes('${{'))
    .map(({ name }) => `${name} has an expression in a script: pass it by env`);

export const noSecrets: Rule = (text) =>
  [...text.matchAll(/secrets[.[]\S*/g)].map(([secret]) => `${secret}: nothing here needs a stored secret`);

export const shortScripts: Rule = (_, workflow) =>
  stepsOf(workflow)
    .filter(({ step }) => (step.run?.trim().split('\n').length ?? 0) > 3)
    .map(({ name }) => `${name} has a script of more than three lines: move it to scripts/deploy`);

/** Scripts and npm scripts that exist; those of another commit, which is checked out elsewhere, are its own. */
export const scriptsExist: Rule = (_, workflow) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly scripts: object };
  return stepsOf(workflow)
    .filter(({ step }) => step['working-directory'] === undefined)
    .flatMap(({ step }) => [
      ...namesIn(step, /\b(?:bash|sh|node|source) +([\w./-]+)/g).filter((file) => !existsSync(file)),
      ...namesIn(step, /\bnpm run +([\w:-]+)/g).filter((name) => !Object.hasOwn(scripts, name)),
      ...(namesIn(step, /\bnpm +(test|start)\b/g).filter((name) => !Object.hasOwn(scripts, name)) ?? []),
    ])
    .map((name) => `${name} does not exist`);
};

function namesIn({ run = '' }: Step, pattern: RegExp): readonly string[] {
  return [...run.matchAll(pattern)].map(([, name = '']) => name);
}

export const calledWorkflowsExist: Rule = (_, workflow) =>
  jobsOf(workflow)
    .flatMap(([, { uses }]) => uses ?? [])
    .filter((uses) => uses.startsWith('./') && !existsSync(join('.', uses)))
    .map((uses) => `${uses} does not exist`);

/** A variable that nobody explains is one that nobody sets. */
export const variablesDocumented: Rule = (text) => {
  const page = readFileSync('docs/deploy.md', 'utf8');
  return [...new Set([...text.matchAll(/\bvars\.(\w+)/g)].map(([, name = '']) => name))]
    .filter((name) => !page.includes(`\`${name}\``))
    .map((name) => `vars.${name} is not in docs/deploy.md`);
};

export const RULES: Readonly<Record<string, Rule>> = {
  pinned,
  onePin,
  leastPermissions,
  signInOnlyWhereNeeded,
  noCacheBesideSignIn,
  timeouts,
  noTokenLeftBehind,
  noExpressionsInScripts,
  noSecrets,
  shortScripts,
  scriptsExist,
  calledWorkflowsExist,
  variablesDocumented,
};
