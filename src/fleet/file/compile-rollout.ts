import { parseDuration } from '../../time/duration.ts';
import { compileExpression, type Expression } from '../expressions/expression.ts';
import { compileTemplate } from '../expressions/template.ts';
import type { Rollout, RolloutGate, Stage, Window } from '../rollout.ts';
import type { RolloutFile } from '../rollout-schema.ts';

const SAMPLE = 20;
const DEADLINE_MS = 24 * 3_600_000;
const PAUSE_WHEN = 0.05;

/** Compiles a `rollout` in which the schema found no problems. */
export function compileRollout(file: RolloutFile): Rollout {
  const { stages, onFailure = 'pause', approvers = [], window, over = '0s', pauseWhen = PAUSE_WHEN } = file;
  const rest = { onFailure, approvers, window: window === undefined ? undefined : compileWindow(window) };
  const [first, ...others] = compileStages(stages ?? []);
  if (first !== undefined) {
    return { ...rest, stages: [first, ...others], gate: compileGate(file.gate), isShort: false };
  }
  const all = { ...WHOLE, overMs: parseDuration(over) ?? 0 };
  return { ...rest, stages: [all], gate: { ...SHORT_GATE, rejected: pauseWhen }, isShort: true };
}

/** In the form with `over`, a policy pauses itself only by its rejections. */
const SHORT_GATE = { inSync: 0, sample: SAMPLE, deadlineMs: Number.POSITIVE_INFINITY } as const;

/** The only stage of the form with `over`. */
const WHOLE: Stage = {
  name: 'all',
  where: undefined,
  share: 1,
  shareBefore: 0,
  atLeastMs: 0,
  overMs: 0,
  isApproved: false,
};

function compileStages(stages: NonNullable<RolloutFile['stages']>): readonly Stage[] {
  let shareBefore = 0;
  return stages.map(({ name, where, share = 0, atLeast, over, approve }) => {
    const stage: Stage = {
      name,
      where: where === undefined ? undefined : condition(where),
      share,
      shareBefore,
      atLeastMs: parseDuration(atLeast) ?? 0,
      overMs: parseDuration(over) ?? 0,
      isApproved: approve,
    };
    shareBefore = Math.max(shareBefore, share);
    return stage;
  });
}

function compileGate(gate: RolloutFile['gate']): RolloutGate {
  const { inSync = 0.95, rejected = PAUSE_WHEN, sample = SAMPLE, deadline } = gate ?? {};
  const deadlineMs = deadline === undefined ? undefined : parseDuration(deadline);
  return { inSync, rejected, sample, deadlineMs: deadlineMs ?? DEADLINE_MS };
}

function compileWindow({ from, to, timeZone, else: otherwise }: NonNullable<RolloutFile['window']>): Window {
  return {
    from: minutes(from),
    to: minutes(to),
    timeZone: compileTemplate(timeZone, 'twin', []),
    otherwise,
  };
}

function condition(source: string): Expression {
  const compiled = compileExpression(source, 'twin');
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problem}`);
  return compiled.expression;
}

function minutes(time: string): number {
  const [hours = 0, rest = 0] = time.split(':').map(Number);
  return hours * 60 + rest;
}
