import * as z from 'zod';
import { DURATION_PATTERN, parseDuration } from '../time/duration.ts';
import { compileExpression, type ExpressionScope } from './expressions/expression.ts';

/* The parts that several objects of the fleet file use. */

export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'write a name of at most 64 letters, digits, ".", "_" or "-"');

export const partOfAll = z.number().gt(0).max(1);

const DURATION = 'write a number and s, m, h or d, such as 30s or 5m, of at most 3650d';
export const durationField = z
  .string()
  .regex(DURATION_PATTERN, { error: DURATION, abort: true })
  .refine((text) => parseDuration(text) !== undefined, DURATION)
  .describe('Duration: a number and s, m, h or d');

export const NOT_AN_EXPRESSION = 'is not a usable CEL expression';

export const expression = (scope: ExpressionScope) =>
  z
    .string()
    .max(4_096)
    .superRefine((source, context) => {
      const compiled = compileExpression(source, scope);
      if (compiled.ok) return;
      context.addIssue({ code: 'custom', message: `${NOT_AN_EXPRESSION}: ${compiled.problem}` });
    });
