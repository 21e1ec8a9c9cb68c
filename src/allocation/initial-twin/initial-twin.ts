import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate, type Omission } from '../../fleet/expressions/template.ts';
import type { Fleet, Layer } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject } from '../../json/json.ts';
import type { AllocationRequest, EnrollmentTwin } from '../request/request.ts';
import { missingMarkers } from './component-markers.ts';

import { SectionBuilder } from './section-builder.ts';

export interface BuiltTwin {
  /** Undefined if none is sent; `why` gives the reason. */
  readonly twin: EnrollmentTwin | undefined;
  readonly why: string;
  /** Layers that apply, and layers whose condition is unknown. */
  readonly layers: readonly LayerTrace[];
  /**
   * The layer that set each path, such as `tags.site` → `base`. `enrollment` stands for the twin of the
   * enrollment; `model …` or `policy …` for the marker of a component. It contains no values.
   */
  readonly provenance: readonly (readonly [path: string, layer: string])[];
  readonly omitted: readonly Omission[];
  /**
   * How many omissions break a limit of twins, so that the operator should correct a layer or an enrollment.
   */
  readonly beyondLimits: number;
}

export interface LayerTrace {
  readonly name: string;
  readonly applied: boolean;
  readonly why?: string;
}

/** No twin, for this reason. */
export function noTwin(why: string): BuiltTwin {
  return { twin: undefined, why, layers: [], provenance: [], omitted: [], beyondLimits: 0 };
}

/**
 * Builds the initial twin: the twin of the enrollment, with the matching layers merged over it. DPS does not
 * merge: it replaces the twin of the enrollment by the twin in the answer.
 *
 * DPS may use an initial twin at the first assignment, when the hub changes under a *reset* policy, and when
 * the hub stays the same. In the last case DPS ignores it (concepts-custom-allocation, 2022-09) unless the
 * device was deleted from the hub, which only DPS can detect.
 *
 * A value of a layer that breaks a limit of twins is left out; the registration continues. The twin of the
 * enrollment is sent unchanged. Known components get their marker.
 */
export function buildInitialTwin(
  request: AllocationRequest,
  host: HostName,
  fleet: Fleet,
  variables: Variables,
  work?: ExpressionWork,
): BuiltTwin {
  const unused = whyUnused(request, host, fleet);
  if (unused !== undefined) return noTwin(unused);

  const tags = new SectionBuilder('tags');
  const desired = new SectionBuilder('desired');
  const own = request.enrollment.initialTwin;
  if (own !== undefined) {
    tags.layOwn(own.tags);
    desired.layOwn(own.desired);
  }
  const layers: LayerTrace[] = [];
  for (const layer of fleet.twins.layers) {
    const trace = traceOf(layer, variables, work);
    if (trace !== undefined) layers.push(trace);
    if (!trace?.applied) continue;
    layTemplate(tags, layer.name, layer.tags, variables, work);
    layTemplate(desired, layer.name, layer.desired, variables, work);
  }
  for (const { by, desired: marker } of missingMarkers(desired.value, request, fleet, variables.hub, work)) {
    desired.lay(by, marker);
  }
  const provenance = [...tags.provenance, ...desired.provenance];
  // If the enrollment has a twin, an empty twin must be sent too, because DPS would use that of the
  // enrollment instead.
  const others = own?.others;
  const hasOwn = own !== undefined && (isFilled(own.tags) || isFilled(own.desired) || others !== undefined);
  const isSent = hasOwn || provenance.length > 0;
  return {
    twin: isSent
      ? { tags: tags.value, desired: desired.value, ...(others !== undefined && { others }) }
      : undefined,
    why: isSent ? whySent(request, host) : 'neither the enrollment nor a layer sets anything',
    layers,
    provenance,
    omitted: [...tags.omitted, ...desired.omitted],
    beyondLimits: tags.beyondLimits + desired.beyondLimits,
  };
}

function whyUnused(
  { current, enrollment }: AllocationRequest,
  host: HostName,
  { twins }: Fleet,
): string | undefined {
  if (current === undefined) return undefined;
  if (current.hub === host) {
    return twins.resendsInitial ? undefined : 'the hub is unchanged, and twins.resendInitial is false';
  }
  return enrollment.reprovisionPolicy === 'reset'
    ? undefined
    : 'the enrollment migrates the twin to the new hub, so DPS would ignore it';
}

function whySent({ current }: AllocationRequest, host: HostName): string {
  return current?.hub === host ? 'sent; DPS ignores it unless the device was deleted from the hub' : 'sent';
}

/** Undefined for a layer whose condition is false. */
function traceOf(layer: Layer, variables: Variables, work?: ExpressionWork): LayerTrace | undefined {
  const applies = layer.when === undefined || evaluateCondition(layer.when, variables, work);
  if (applies === false) return undefined;
  return applies === true
    ? { name: layer.name, applied: true }
    : { name: layer.name, applied: false, why: applies.unknown };
}

function layTemplate(
  section: SectionBuilder,
  layer: string,
  template: Layer['tags'],
  variables: Variables,
  work?: ExpressionWork,
): void {
  const omissions: Omission[] = [];
  const value = fillTemplate(template, variables, omissions, work);
  for (const { path, why } of omissions) section.omit(path, `${layer}: ${why}`);
  if (isObject(value)) section.lay(layer, value);
}

function isFilled(json: JsonObject): boolean {
  return Object.keys(json).length > 0;
}
