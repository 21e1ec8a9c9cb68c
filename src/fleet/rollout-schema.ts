import * as z from 'zod';
import { isTimeZone } from '../time/time-zone.ts';
import { compileTemplate, type TemplateProblem } from './expressions/template.ts';
import {
  durationField as duration,
  expression,
  NOT_AN_EXPRESSION,
  name,
  partOfAll as share,
} from './schema-parts.ts';

/*
 * The schema of `rollout`. It has two forms: `over` for a rollout in one stage, and `stages`.
 */

type Path = readonly (string | number)[];

const stage = z.strictObject({
  name,
  where: expression('twin')
    .optional()
    .describe('CEL condition for the devices of this stage, such as tags.ring == "lab"'),
  share: share
    .optional()
    .describe('Share of all devices that this stage holds, with the stages before it: 0.1 is one in ten'),
  atLeast: duration.default('0s').describe('Least time before the next stage may begin'),
  over: duration.default('0s').describe('Time in which the stage reaches its devices. Default: at once.'),
  approve: z
    .boolean()
    .default(false)
    .describe('Whether the stage begins only after "berth rollouts approve"'),
});

const gate = z.strictObject({
  inSync: z
    .number()
    .min(0)
    .max(1)
    .default(0.95)
    .describe('Least share of the devices of a stage that must be in sync before the next stage begins'),
  rejected: z
    .number()
    .min(0)
    .lt(1)
    .default(0.05)
    .describe('The rollout fails if more than this share of the devices reject a value or are lost'),
  sample: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20)
    .describe('Number of devices with a result before the gate decides; all devices of a smaller stage'),
  deadline: duration
    .default('24h')
    .describe('A device that shows no life for this time after its first write is lost'),
});

const TIME_OF_DAY = /^([01][0-9]|2[0-3]):[0-5][0-9]$/;
const timeOfDay = z.string().regex(TIME_OF_DAY, 'write a time of day from 00:00 to 23:59, such as 01:00');
const UNKNOWN_ZONE = 'write the IANA name of a time zone, such as Europe/Amsterdam or UTC';

/** An IANA name, or `=` and a CEL expression that gives one. */
const timeZone = z.string().superRefine((text, context) => {
  const problems: TemplateProblem[] = [];
  const compiled = compileTemplate(text, 'twin', problems);
  for (const { problem } of problems) {
    context.addIssue({ code: 'custom', message: `${NOT_AN_EXPRESSION}: ${problem}` });
  }
  if (compiled.kind === 'literal' && problems.length === 0 && !isTimeZone(String(compiled.value))) {
    context.addIssue({ code: 'custom', message: UNKNOWN_ZONE });
  }
});

const window = z
  .strictObject({
    from: timeOfDay.describe('Local time of day at which the window opens, such as 01:00'),
    to: timeOfDay.describe('Local time of day at which the window closes. It may be on the next day.'),
    timeZone: timeZone
      .default('UTC')
      .describe('IANA time zone of the device, or an expression that gives it, such as =tags.timeZone'),
    else: z
      .string()
      .refine(isTimeZone, UNKNOWN_ZONE)
      .default('UTC')
      .describe('IANA time zone of a device whose time zone is unknown'),
  })
  .superRefine(({ from, to }, context) => {
    if (from === to) {
      context.addIssue({
        code: 'custom',
        path: ['to'],
        message: `is ${JSON.stringify(to)}, like from, so the window is never open: write another time`,
      });
    }
  });

export const rollout = z
  .strictObject({
    over: duration
      .optional()
      .describe('Time in which a new content reaches all devices, in one stage. Not with stages.'),
    // Without a default, because it belongs to `over` only.
    pauseWhen: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe(
        'With over: a policy pauses itself if more than this share of the reached devices reject it. Default: 0.05.',
      ),
    stages: z
      .array(stage)
      .min(1)
      .max(20)
      .optional()
      .describe(
        'Stages, in their order. Each stage contains the stages before it. The last one has share 1.',
      ),
    gate: gate.optional().describe('With stages: what a stage must show before the next one begins'),
    onFailure: z
      .enum(['pause', 'rollback'])
      .optional()
      .describe('With stages: what a failed gate does: pause the rollout (default), or roll it back'),
    approvers: z
      .array(z.string().min(1).max(256))
      .min(1)
      .max(100)
      .optional()
      .describe(
        'With stages: the Entra sign-in names that may approve. The author of the package may not approve.',
      ),
    window: window
      .optional()
      .describe('Time of day in which a device may get its first write of a new content. Default: always.'),
  })
  .superRefine((value, context) => {
    const problem = (path: Path, message: string) =>
      context.addIssue({ code: 'custom', path: [...path], message });
    const { over, stages } = value;
    if (over === undefined && stages === undefined) problem([], 'has no stages: write over or stages');
    if (over !== undefined && stages !== undefined) {
      problem(['over'], 'has no effect with stages: remove it, or write over in a stage');
    }
    if (stages === undefined) {
      for (const field of ['gate', 'onFailure', 'approvers'] as const) {
        if (value[field] !== undefined)
          problem([field], 'has no effect without stages: write stages, or remove it');
      }
      return;
    }
    if (value.pauseWhen !== undefined) {
      problem(['pauseWhen'], 'has no effect with stages: write gate.rejected instead');
    }
    checkStages(stages, (path, message) => problem(['stages', ...path], message));
  });

/** The stages must have their own names, grow, and reach every device at the end. */
function checkStages(
  stages: readonly z.output<typeof stage>[],
  problem: (path: Path, message: string) => void,
): void {
  const names = new Set<string>();
  let reached = 0;
  stages.forEach((each, index) => {
    if (names.has(each.name)) {
      problem([index, 'name'], `is "${each.name}", which is already used: use another name`);
    }
    names.add(each.name);
    if ((each.where === undefined) === (each.share === undefined)) {
      const has = each.where === undefined ? 'neither where nor share' : 'where and share';
      problem([index], `has ${has}: write exactly one of them`);
    }
    if (each.share === undefined) return;
    if (each.share <= reached && reached > 0) {
      problem(
        [index, 'share'],
        `is ${each.share}, and an earlier stage has ${reached}: write a larger share, because each stage contains the stages before it`,
      );
    }
    reached = Math.max(reached, each.share);
  });
  if (stages.length > 0 && stages.at(-1)?.share !== 1) {
    problem([stages.length - 1], 'is the last stage and does not reach all devices: write "share": 1');
  }
}

export type RolloutFile = z.output<typeof rollout>;
