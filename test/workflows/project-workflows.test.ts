import { describe, expect, test } from '@jest/globals';
import { projectFiles } from '../support/project-files.ts';
import { RULES } from './rules.ts';
import { actionlint, readWorkflow } from './workflow.ts';

const WORKFLOWS = Object.entries(projectFiles()).filter(([file]) => file.startsWith('.github/workflows/'));
/** The test of the packed file looks for the scripts in the package. */
const KEPT = Object.entries(RULES).filter(([name]) => name !== 'scriptsExist');

describe('the workflows of a new project', () => {
  test('actionlint reports no problems', async () => {
    expect(await actionlint(WORKFLOWS.map(([, text]) => text))).toEqual(WORKFLOWS.map(() => []));
  });

  test('keep the rules for the workflows of this repository', () => {
    const problems = WORKFLOWS.flatMap(([file, text]) =>
      KEPT.flatMap(([name, rule]) => rule(text, readWorkflow(text)).map((problem) => [file, name, problem])),
    );

    expect(problems).toEqual([]);
  });

  test('build nothing: the package is built', () => {
    for (const [file, text] of WORKFLOWS)
      expect([file, /npm run build|\bbash scripts\//.test(text)]).toEqual([file, false]);
  });
});
