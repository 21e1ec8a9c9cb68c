import { evaluateCondition, type Variables } from '../fleet/expression.ts';
import type { Fleet, Layer } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import { fillTemplate, type Omission } from '../fleet/template.ts';
import { isObject, type JsonObject } from '../json.ts';
import { sizeOf, TWIN_LIMITS, twinProblems } from '../twin/limits.ts';
import { leavesOf, mergePatch, nest, valueAt } from '../twin/merge.ts';
import type { AllocationRequest } from './request.ts';

export interface BuiltTwin {
  /** Undefined: none is sent, and `why` says so. */
  readonly twin: { readonly tags: JsonObject; readonly desired: JsonObject } | undefined;
  readonly why: string;
  /**
   * Which layer set which path, e.g. `tags.site` → `base`; `enrollment` for the enrollment's own. No values.
   */
  readonly provenance: Readonly<Record<string, string>>;
  readonly omitted: readonly Omission[];
}

/**
 * The enrollment's own initial twin with the matching layers on top, where DPS will use one: at the first
 * assignment, and when the hub changes under a *reset* policy (concepts-custom-allocation, 2022-09). DPS
 * replaces the enrollment's twin by the answer's, it does not merge, so Berth merges: objects merge, arrays
 * and scalars replace, `null` deletes. A value that breaks a twin limit is left out; it does not end a
 * registration.
 */
export function buildInitialTwin(
  request: AllocationRequest,
  host: HostName,
  fleet: Fleet,
  variables: Variables,
): BuiltTwin {
  const unused = whyUnused(request, host);
  if (unused !== undefined) return { twin: undefined, why: unused, provenance: {}, omitted: [] };

  const tags = new SectionBuilder('tags');
  const desired = new SectionBuilder('desired');
  for (const section of [tags, desired]) {
    const own = request.enrollment.initialTwin?.[section.name];
    if (own !== undefined) section.lay('enrollment', own);
    for (const layer of fleet.twins.layers) {
      if (!applies(layer, variables)) continue;
      const value = fillTemplate(layer[section.name], variables, section.omitted, [section.name]);
      if (isObject(value)) section.lay(layer.name, value);
    }
  }
  const provenance = { ...tags.provenance(), ...desired.provenance() };
  const isEmpty = Object.keys(provenance).length === 0;
  return {
    twin: isEmpty ? undefined : { tags: tags.value, desired: desired.value },
    why: isEmpty ? 'neither the enrollment nor a layer sets anything' : 'sent',
    provenance,
    omitted: [...tags.omitted, ...desired.omitted],
  };
}

function whyUnused({ current, enrollment }: AllocationRequest, host: HostName): string | undefined {
  if (current === undefined) return undefined;
  if (current.hub === host) return 'the hub is unchanged, so DPS would ignore it';
  return enrollment.reprovisionPolicy === 'reset'
    ? undefined
    : 'the enrollment migrates the twin to the new hub, so DPS would ignore it';
}

function applies(layer: Layer, variables: Variables): boolean {
  return layer.when === undefined || evaluateCondition(layer.when, variables) === true;
}

/** One section of the twin while layers are put on top of each other. */
class SectionBuilder {
  readonly name: 'tags' | 'desired';
  readonly omitted: Omission[] = [];
  value: JsonObject = {};
  readonly #setBy: { readonly path: readonly string[]; readonly layer: string }[] = [];

  constructor(name: 'tags' | 'desired') {
    this.name = name;
  }

  lay(layer: string, json: JsonObject): void {
    const leaves = leavesOf(json).filter(({ path, value }) => {
      const problem = twinProblems(this.name, nest(path, value)).find(({ path: at }) => at !== '');
      if (problem !== undefined) this.#omit(layer, path, problem.message);
      return problem === undefined;
    });
    const next = leaves.reduce((value, leaf) => mergePatch(value, nest(leaf.path, leaf.value)), this.value);
    if (sizeOf(next) > TWIN_LIMITS.sectionBytes[this.name]) {
      this.#omit(layer, [], `${this.name} would be larger than IoT Hub allows`);
      return;
    }
    this.value = next;
    for (const { path } of leaves) this.#setBy.push({ path, layer });
  }

  /** For every path that is still there, the last layer that set it. */
  provenance(): Readonly<Record<string, string>> {
    const present = this.#setBy.filter(({ path }) => {
      const value = valueAt(this.value, path);
      return value !== undefined && !(isObject(value) && Object.keys(value).length > 0);
    });
    return Object.fromEntries(present.map(({ path, layer }) => [[this.name, ...path].join('.'), layer]));
  }

  #omit(layer: string, path: readonly string[], why: string): void {
    this.omitted.push({ path: [this.name, ...path], why: `${layer}: ${why}` });
  }
}
