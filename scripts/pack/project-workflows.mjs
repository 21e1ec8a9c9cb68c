// The workflows of a new project: those of this repository, with Berth in node_modules.
import { swap } from './swap.mjs';

/**
 * @param {(file: string) => string} read a file of this repository.
 * @param {string} home the folder of the installed Berth, `node_modules/NAME`.
 * @returns {Record<string, string>}
 */
export function projectWorkflows(read, home) {
  const [ci, deploy, drift] = ['ci.yml', 'deploy.yml', 'drift.yml'].map(
    (file) => `.github/workflows/${file}`,
  );
  const [setupNode] = /actions\/setup-node@.+/.exec(read(deploy));
  return {
    [ci]: swap(ci, withoutLastJob(ci, read(ci), 'func'), CI),
    [deploy]: swap(deploy, read(deploy), deployment(home, setupNode)),
    [drift]: swap(drift, read(drift), [NO_BUILD, scriptsIn(home)]),
  };
}

/** The installed command is built already. */
const NO_BUILD = ['      - run: npm run build\n', ''];

const scriptsIn = (home) => ['scripts/deploy/', `${home}/scripts/deploy/`];

/** Leaves out the last job of a workflow, with the comment above it. */
function withoutLastJob(file, text, job) {
  const found = new RegExp(`\\n(?: {2}#.*\\n)* {2}${job}:\\n[\\s\\S]*$`).exec(text);
  if (found === null) throw new Error(`${file} no longer ends with the job ${job}`);
  return text.slice(0, found.index);
}

/** As GitHub writes it. */
const NODE = `$\{{ matrix.node }}`;

/** One version of Node.js, the one that infra/ deploys. */
const CI = [
  [
    '# The checks of .ci/run, which is where they are listed.\n',
    '# Checks the fleet file and the enrollments, and runs the fleet locally.\n',
  ],
  [`    name: Node.js ${NODE}\n`, '    name: Fleet\n'],
  [
    `    strategy:
      fail-fast: false
      matrix:
        # The oldest that package.json allows, the one between, and the one that infra/ deploys.
        node: ['20.19', '22', '24']
`,
    '',
  ],
  [`node-version: ${NODE}`, 'node-version: 24'],
  ['      - run: bash .ci/run\n', '      - run: npm ci\n      - run: npm run check\n'],
];

const deployment = (home, setupNode) => [
  // The installed command is built already.
  [
    '        run: |\n          npm ci --ignore-scripts\n          npm run build\n',
    '        run: npm ci --ignore-scripts\n',
  ],
  NO_BUILD,
  // The templates are those of the version that the base branch has installed.
  [
    `          path: base
          sparse-checkout: |
            fleet.json
            /models/
            /infra/
          sparse-checkout-cone-mode: false
          persist-credentials: false
`,
    `          path: base
          persist-credentials: false
`,
  ],
  [
    '      - name: What the infrastructure would create, before and after\n',
    `      - name: Its version of Berth
        if: hashFiles('base/package-lock.json') != ''
        run: npm ci --ignore-scripts
        working-directory: base
      - name: What the infrastructure would create, before and after
`,
  ],
  // Files of the installed Berth, without running a script of any package.
  [
    `          persist-credentials: false
          sparse-checkout: scripts/deploy
`,
    `          persist-credentials: false
      - uses: ${setupNode}
        with:
          node-version: 24
          package-manager-cache: false
      - run: npm ci --ignore-scripts
`,
  ],
  scriptsIn(home),
  ['scripts/bicep', `${home}/scripts/bicep`],
];
