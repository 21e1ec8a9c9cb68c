import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate } from '../../fleet/expressions/template.ts';
import type { Fleet, Policy } from '../../fleet/fleet.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { COMPONENT, COMPONENT_MARKER, isMarker } from '../../twin/plan/components.ts';
import { nest } from '../../twin/snapshot/merge.ts';
import type { AllocationRequest } from '../request/request.ts';

/** A part of desired to merge over the others, and its source, as the provenance names it. */
export interface MarkerLayer {
  readonly by: string;
  readonly desired: JsonObject;
}

/**
 * The missing markers of components in an initial twin. A device reads its whole twin at its first start, and
 * treats an object without the marker as a property of its root. Berth knows a component from the model that
 * the device names in its payload, or from a policy for this device that sets the marker.
 *
 * A component of the model that policies write, but that the twin does not contain yet, gets only its marker.
 * Twin sync then knows the component, and its first patch is correct.
 */
export function missingMarkers(
  desired: JsonObject,
  request: AllocationRequest,
  { twins }: Fleet,
  hub: unknown,
  work?: ExpressionWork,
): readonly MarkerLayer[] {
  const modelId = modelIdOf(request);
  const ofModel = (modelId === undefined ? undefined : twins.components.get(modelId)) ?? NONE;
  const unmarked = Object.keys(desired).filter((name) => isUnmarked(desired[name]));
  const coming = [...ofModel].filter((name) => !Object.hasOwn(desired, name));
  if (unmarked.length + coming.length === 0) return [];
  const policies = twins.policies.filter(({ module }) => module === undefined);
  const byPolicy = saidByPolicies(policies, { deviceId: deviceIdOf(request), moduleId: null, hub }, work);
  const isWritten = (name: string) =>
    policies.some(({ leaves }) => leaves.some(({ path }) => path.length > 1 && path[0] === name));
  return [...unmarked, ...coming.filter(isWritten)].flatMap((name) => {
    const by = ofModel.has(name) ? `model ${modelId}` : byPolicy.get(name);
    return by === undefined ? [] : [{ by, desired: nest([name, COMPONENT_MARKER], COMPONENT) }];
  });
}

const NONE: ReadonlySet<string> = new Set();

function isUnmarked(value: JsonValue | undefined): boolean {
  return isObject(value) && Object.keys(value).length > 0 && !Object.hasOwn(value, COMPONENT_MARKER);
}

/** The model id that a device sends to DPS (concepts-developer-guide-device, 2022-11, "DPS payload"). */
function modelIdOf({ payload }: AllocationRequest): string | undefined {
  return isObject(payload) && typeof payload.modelId === 'string' ? payload.modelId : undefined;
}

function deviceIdOf({ enrollment, current, registrationId }: AllocationRequest): string {
  return enrollment.deviceId ?? current?.deviceId ?? registrationId;
}

/** The keys that policies mark as components, from policies that certainly match this device and its hub. */
function saidByPolicies(
  policies: readonly Policy[],
  variables: Variables,
  work?: ExpressionWork,
): ReadonlyMap<string, string> {
  const said = new Map<string, string>();
  for (const { name: policy, when, leaves } of policies) {
    const marked = leaves.filter(({ path }) => isMarker(path));
    // Conditions about the twin are not decided here, because a receipt does not contain the twin.
    const isKnown = when?.reads.every(([variable = '']) => Object.hasOwn(variables, variable)) ?? true;
    if (marked.length === 0 || !isKnown) continue;
    if (when !== undefined && evaluateCondition(when, variables, work) !== true) continue;
    for (const { path, value } of marked) {
      const [name = ''] = path;
      if (fillTemplate(value, variables, [], work) === COMPONENT && !said.has(name))
        said.set(name, `policy ${policy}`);
    }
  }
  return said;
}
