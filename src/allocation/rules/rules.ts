import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Fleet, Hub, Rule } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { evaluateParent, type NamedParent } from './parent-rule.ts';

/** The result of one rule, for the receipt. */
export interface RuleTrace {
  readonly name: string;
  readonly result: 'matched' | 'unmatched' | 'unknown';
  /** Whether the rule took effect. An unknown rule does so only if its `whenUnknown` is `apply`. */
  readonly applied: boolean;
  readonly why?: string;
}

/** Labels that a hub must have. `undefined` means that the hub must not have the label. */
export type Requirement = Readonly<Record<string, string | undefined>>;

export interface RuleResult {
  readonly traces: readonly RuleTrace[];
  readonly denied: { readonly rule: string; readonly reason: string } | undefined;
  /** The first unknown rule with `whenUnknown: refuse`. */
  readonly missing: { readonly rule: string; readonly why: string } | undefined;
  /** Requirements for a hub to receive the device. */
  readonly requirements: readonly Requirement[];
  /** Requirements for the current hub to keep the device. */
  readonly toStay: readonly Requirement[];
  /** The last `hub` rule that matched. */
  readonly only: HostName | undefined;
  readonly prefer: ReadonlyMap<HostName, number>;
  /** The parent that the last matching `parent` rule names. */
  readonly parent: NamedParent | undefined;
}

/**
 * Every matching rule applies: any `deny` wins, requirements add up, the last `hub` and the last `parent`
 * win, `prefer`s multiply.
 *
 * On re-registration, an unknown `require` is replaced, label by label, by the labels of the current hub. A
 * device that sends fewer inputs than before then neither leaves its data residency nor fails. A current hub
 * that is not in the fleet file has no labels: it keeps the device, but another hub must meet the whole
 * `require`.
 *
 * @param current the current hub, on re-registration
 */
export function evaluateRules(
  fleet: Fleet,
  variables: Variables,
  current: CurrentFleetHub | undefined,
  work?: ExpressionWork,
): RuleResult {
  const traces: RuleTrace[] = [];
  const requirements: Requirement[] = [];
  const toStay: Requirement[] = [];
  const prefer = new Map<HostName, number>();
  let denied: RuleResult['denied'];
  let missing: RuleResult['missing'];
  let only: HostName | undefined;
  let parent: NamedParent | undefined;

  for (const rule of fleet.allocation.rules) {
    const { trace, named } = evaluateRule(rule, variables, work);
    traces.push(trace);
    if (trace.result === 'unknown' && rule.whenUnknown === 'refuse') {
      missing ??= { rule: rule.name, why: trace.why ?? 'unknown' };
    }
    if (!trace.applied) continue;
    switch (rule.effect.kind) {
      case 'deny':
        denied ??= { rule: rule.name, reason: rule.effect.reason };
        break;
      case 'require': {
        const { labels } = rule.effect;
        const isReplaced = trace.result === 'unknown' && current !== undefined;
        const own = isReplaced ? current.hub?.labels : undefined;
        const requirement =
          own === undefined
            ? labels
            : Object.fromEntries(Object.keys(labels).map((label) => [label, own[label]]));
        requirements.push(requirement);
        if (!isReplaced || own !== undefined) toStay.push(requirement);
        break;
      }
      case 'hub':
        only = rule.effect.host;
        break;
      case 'parent':
        parent = named ?? parent;
        break;
      case 'prefer':
        for (const [host, factor] of rule.effect.factors) prefer.set(host, (prefer.get(host) ?? 1) * factor);
        break;
    }
  }
  return { traces, denied, missing, requirements, toStay, only, prefer, parent };
}

/** The current hub of a device. */
export interface CurrentFleetHub {
  /** Undefined if the hub is not in the fleet file. */
  readonly hub: Hub | undefined;
}

/** Whether a hub has every required label. A hub that is not in the fleet file has no labels. */
export function meets(
  labels: Readonly<Record<string, string>> | undefined,
  requirements: readonly Requirement[],
): boolean {
  return requirements.every((requirement) =>
    Object.entries(requirement).every(([label, value]) =>
      value === undefined
        ? labels !== undefined && !Object.hasOwn(labels, label)
        : labels !== undefined && Object.hasOwn(labels, label) && labels[label] === value,
    ),
  );
}

function evaluateRule(
  rule: Rule,
  variables: Variables,
  work?: ExpressionWork,
): { readonly trace: RuleTrace; readonly named?: NamedParent | undefined } {
  const { name, when, effect } = rule;
  const value = when === undefined ? true : evaluateCondition(when, variables, work);
  if (typeof value !== 'boolean') {
    return { trace: { name, result: 'unknown', applied: rule.whenUnknown === 'apply', why: value.unknown } };
  }
  if (!value || effect.kind !== 'parent') {
    return { trace: { name, result: value ? 'matched' : 'unmatched', applied: value } };
  }
  const parent = evaluateParent(effect.parent, variables, work);
  return 'unknown' in parent
    ? { trace: { name, result: 'unknown', applied: false, why: parent.unknown } }
    : { trace: { name, result: 'matched', applied: true }, named: { rule: name, deviceId: parent.deviceId } };
}
