import type { ErrorDetail } from '../../errors.ts';
import { isObject, type JsonValue } from '../../json/json.ts';
import { type ExpressionScope, syntaxTree } from '../expressions/expression.ts';
import type { Template } from '../expressions/template.ts';
import type { Fleet } from '../fleet.ts';
import { writtenTexts } from './dead-comparisons.ts';

/** A date and time with an offset from UTC other than `Z`. */
const ZONED = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?[+-]\d\d(:?\d\d)?$/;

/**
 * Warnings about dates with an offset in desired properties. The Azure portal saves a whole twin and rewrites
 * such a date in UTC, which is a different text. A policy would then write its text again, and the property
 * becomes contested.
 */
export function zonedDates({ twins }: Fleet): readonly ErrorDetail[] {
  const details = (path: string, template: Template, scope: ExpressionScope, harm: string) =>
    [...new Set(datesIn(template, scope))].map((date) => ({
      path,
      message: `sets "${date}", a date with an offset. The portal rewrites it in UTC, which is a different text, so ${harm}: write it in UTC${inUtc(date)}`,
    }));
  return [
    ...twins.layers.flatMap(({ desired }, index) =>
      details(`twins.initial[${index}].desired`, desired, 'layer', 'the device sees a change'),
    ),
    ...twins.policies.flatMap(({ leaves }, index) =>
      leaves.flatMap(({ key, value, compare }) =>
        // As an instant, the text of the portal is the same value.
        compare === 'instant'
          ? []
          : details(
              `twins.policies[${index}].desired.${key}`,
              value,
              'twin',
              'the property becomes contested',
            ),
      ),
    ),
  ];
}

function datesIn(template: Template, scope: ExpressionScope): readonly string[] {
  switch (template.kind) {
    case 'literal':
      return textsIn(template.value).filter(isZoned);
    case 'expression':
      return writtenTexts(syntaxTree(template.expression, scope)).filter(isZoned);
    case 'array':
      return template.items.flatMap((item) => datesIn(item, scope));
    case 'object':
      return template.members.flatMap(([, member]) => datesIn(member, scope));
  }
}

function textsIn(value: JsonValue): readonly string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return isObject(value) ? Object.values(value).flatMap(textsIn) : [];
}

function isZoned(text: string): boolean {
  return ZONED.test(text);
}

function inUtc(date: string): string {
  const time = Date.parse(date);
  return Number.isNaN(time) ? '' : `, "${new Date(time).toISOString().replace('.000Z', 'Z')}"`;
}
