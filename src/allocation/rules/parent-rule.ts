import type { Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate, type Omission, type Template } from '../../fleet/expressions/template.ts';
import { DEVICE_ID } from '../../iot-hub/device-id.ts';

/** The parent of a device, as a rule names it. */
export interface NamedParent {
  /** The name of the rule. */
  readonly rule: string;
  /** The device id of the parent. */
  readonly deviceId: string;
}

/**
 * The device id that a `parent` rule computes. It is unknown if a value is missing, if the value is not the id of
 * a device, or if the device names itself. The reason contains no values, because a device chooses them.
 */
export function evaluateParent(
  parent: Template,
  variables: Variables,
  work?: ExpressionWork,
): { readonly deviceId: string } | { readonly unknown: string } {
  const omissions: Omission[] = [];
  const value = fillTemplate(parent, variables, omissions, work);
  if (value === undefined) return { unknown: omissions[0]?.why ?? 'the parent cannot be computed' };
  if (typeof value !== 'string' || !DEVICE_ID.test(value)) {
    return { unknown: 'the parent is not the id of a device' };
  }
  return value.toLowerCase() === variables.registrationId
    ? { unknown: 'the device names itself as its parent' }
    : { deviceId: value };
}
