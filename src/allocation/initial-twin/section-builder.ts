import type { Omission } from '../../fleet/expressions/template.ts';
import { keyProblem, TWIN_LIMITS, twinSizeOf, utf8Bytes, valueProblem } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue, setMember } from '../../json/json.ts';
import { Omissions } from '../request/omissions.ts';

/** A part of a section while layers are merged: its values and the layers that set them. */
type Node = { readonly kind: 'leaf'; readonly value: JsonValue; readonly layer: string } | Branch;
interface Branch {
  readonly kind: 'branch';
  readonly children: Map<string, Node>;
}

/**
 * Builds one section of an initial twin. The section of the enrollment comes first and is complete. Layers
 * are merged over it leaf by leaf; a leaf that breaks a limit of twins is left out. The time is proportional
 * to the size of the layers, because devices choose that size.
 */
export class SectionBuilder {
  readonly #section: 'tags' | 'desired';
  readonly #root: Branch = branch();
  readonly #omissions = new Omissions();
  /** The first layer, while nothing has to be merged or left out: most twins have one layer. */
  #only: Layer | undefined;
  #bytes = 0;
  #beyondLimits = 0;

  constructor(section: 'tags' | 'desired') {
    this.#section = section;
  }

  /**
   * Merges a layer: objects merge, arrays and scalars replace, `null` deletes. Values that break a limit of
   * twins are left out.
   *
   * @param layer name of the layer, for the provenance and the omissions
   */
  lay(layer: string, json: JsonObject): void {
    const isFirst = this.#only === undefined && this.#root.children.size === 0;
    const bytes = isFirst ? bytesWithoutProblems(json, 1) : undefined;
    if (bytes !== undefined && bytes <= TWIN_LIMITS.sectionBytes[this.#section]) {
      if (bytes > 0) this.#only = { name: layer, json };
      return;
    }
    this.#merge(this.#tree(), json, layer, []);
  }

  /**
   * Sets the section of the enrollment, below all layers. Berth applies no limits: DPS would send it
   * unchanged too, and the hub decides whether it accepts it. `null` sets nothing.
   */
  layOwn(json: JsonObject): void {
    this.#putWhole(this.#tree(), json);
    this.#bytes = sizeOfNode(this.#root);
  }

  get value(): JsonObject {
    return this.#only?.json ?? toJson(this.#root);
  }

  /** The layer that set each leaf. */
  get provenance(): readonly (readonly [path: string, layer: string])[] {
    const leaves: (readonly [path: string, layer: string])[] = [];
    if (this.#only === undefined) addLeaves(this.#root, this.#section, leaves);
    else addPaths(this.#only.json, this.#section, this.#only.name, leaves);
    return leaves;
  }

  get omitted(): readonly Omission[] {
    return this.#omissions.list;
  }

  /** How many leaves were left out because they break a limit of twins. */
  get beyondLimits(): number {
    return this.#beyondLimits;
  }

  /** Records a value that is left out. */
  omit(path: readonly string[], why: string): void {
    this.#omissions.add([this.#section, ...path], why);
  }

  /** The tree, with the first layer. */
  #tree(): Branch {
    const only = this.#only;
    if (only !== undefined) {
      this.#only = undefined;
      this.#merge(this.#root, only.json, only.name, []);
    }
    return this.#root;
  }

  #refuse(path: readonly string[], why: string): void {
    this.#beyondLimits += 1;
    this.omit(path, why);
  }

  #merge({ children }: Branch, json: JsonObject, layer: string, above: readonly string[]): void {
    for (const [key, value] of Object.entries(json)) {
      const depth = above.length + 1;
      const before = children.get(key);
      if (value === null) {
        this.#remove(children, key);
        continue;
      }
      const isBranch = isObject(value) && (before?.kind === 'branch' || Object.keys(value).length > 0);
      const problem = keyProblem(key) ?? (isBranch ? depthProblem(depth) : valueProblem(value, depth));
      if (problem !== undefined) {
        this.#refuse([...above, key], `${layer}: ${problem}`);
        continue;
      }
      if (isBranch) {
        const below = before?.kind === 'branch' ? before : this.#put(children, key, branch());
        this.#merge(below, value, layer, [...above, key]);
        if (below === before || below.children.size > 0) continue;
        // All its members were left out, so the previous value stays.
        if (before === undefined) this.#remove(children, key);
        else this.#put(children, key, before);
        continue;
      }
      const size = utf8Bytes(key) + twinSizeOf(value);
      const grows = before === undefined ? size : size - utf8Bytes(key) - sizeOfNode(before);
      if (grows > 0 && this.#bytes + grows > TWIN_LIMITS.sectionBytes[this.#section]) {
        this.#refuse(
          [...above, key],
          `${layer}: ${this.#section} would be larger than ${TWIN_LIMITS.sectionBytes[this.#section]} bytes`,
        );
        continue;
      }
      if (before !== undefined) children.delete(key);
      children.set(key, { kind: 'leaf', value, layer });
      this.#bytes += grows;
    }
  }

  #putWhole({ children }: Branch, json: JsonObject): void {
    for (const [key, value] of Object.entries(json)) {
      if (value === null) continue;
      if (!isObject(value) || Object.keys(value).length === 0) {
        children.set(key, { kind: 'leaf', value, layer: OWN });
        continue;
      }
      const below = branch();
      this.#putWhole(below, value);
      children.set(key, below.children.size > 0 ? below : { kind: 'leaf', value: {}, layer: OWN });
    }
  }

  #put<Kind extends Node>(children: Map<string, Node>, key: string, node: Kind): Kind {
    this.#remove(children, key);
    children.set(key, node);
    this.#bytes += utf8Bytes(key) + sizeOfNode(node);
    return node;
  }

  #remove(children: Map<string, Node>, key: string): void {
    const before = children.get(key);
    if (before === undefined) return;
    children.delete(key);
    this.#bytes -= utf8Bytes(key) + sizeOfNode(before);
  }
}

interface Layer {
  readonly name: string;
  readonly json: JsonObject;
}

/**
 * The bytes of a layer below nothing, if `#merge` would take all of it as it is; undefined if it deletes something or breaks a limit
 * of twins other than that of the section.
 */
function bytesWithoutProblems(json: JsonObject, depth: number): number | undefined {
  let bytes = 0;
  for (const key of Object.keys(json)) {
    const value = json[key] ?? null;
    if (value === null || key === '__proto__' || keyProblem(key) !== undefined) return undefined;
    bytes += utf8Bytes(key);
    if (isObject(value) && Object.keys(value).length > 0) {
      const below = depth > TWIN_LIMITS.depth ? undefined : bytesWithoutProblems(value, depth + 1);
      if (below === undefined) return undefined;
      bytes += below;
    } else {
      if (valueProblem(value, depth) !== undefined) return undefined;
      bytes += twinSizeOf(value);
    }
  }
  return bytes;
}

function addPaths(
  json: JsonObject,
  above: string,
  layer: string,
  leaves: (readonly [string, string])[],
): void {
  for (const key of Object.keys(json)) {
    const value = json[key];
    const path = `${above}.${key}`;
    if (isObject(value) && Object.keys(value).length > 0) addPaths(value, path, layer, leaves);
    else leaves.push([path, layer]);
  }
}

/** The name of the enrollment in the provenance. */
const OWN = 'enrollment';

function depthProblem(depth: number): string | undefined {
  return depth > TWIN_LIMITS.depth ? `is nested deeper than ${TWIN_LIMITS.depth} levels` : undefined;
}

function branch(): Branch {
  return { kind: 'branch', children: new Map() };
}

function sizeOfNode(node: Node): number {
  if (node.kind === 'leaf') return twinSizeOf(node.value);
  let bytes = 0;
  for (const [key, child] of node.children) bytes += utf8Bytes(key) + sizeOfNode(child);
  return bytes;
}

function toJson({ children }: Branch): JsonObject {
  const json: Record<string, JsonValue> = {};
  for (const [key, node] of children) {
    setMember(json, key, node.kind === 'leaf' ? node.value : toJson(node));
  }
  return json;
}

function addLeaves({ children }: Branch, above: string, leaves: (readonly [string, string])[]): void {
  for (const [key, node] of children) {
    const path = `${above}.${key}`;
    if (node.kind === 'leaf') leaves.push([path, node.layer]);
    else addLeaves(node, path, leaves);
  }
}
