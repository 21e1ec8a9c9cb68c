import type { Omission } from '../../fleet/expressions/template.ts';
import { keyProblem, TWIN_LIMITS, twinSizeOf, valueProblem } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue, objectOf } from '../../json/json.ts';
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
    this.#merge(this.#root, json, layer, []);
  }

  /**
   * Sets the section of the enrollment, below all layers. Berth applies no limits: DPS would send it
   * unchanged too, and the hub decides whether it accepts it. `null` sets nothing.
   */
  layOwn(json: JsonObject): void {
    this.#putWhole(this.#root, json);
    this.#bytes = sizeOfNode(this.#root);
  }

  get value(): JsonObject {
    return toJson(this.#root);
  }

  /** The layer that set each leaf. */
  get provenance(): readonly (readonly [path: string, layer: string])[] {
    const leaves: (readonly [path: string, layer: string])[] = [];
    addLeaves(this.#root, this.#section, leaves);
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

  #refuse(path: readonly string[], why: string): void {
    this.#beyondLimits += 1;
    this.omit(path, why);
  }

  #merge({ children }: Branch, json: JsonObject, layer: string, above: readonly string[]): void {
    for (const [key, value] of Object.entries(json)) {
      const path = [...above, key];
      const before = children.get(key);
      if (value === null) {
        this.#remove(children, key);
        continue;
      }
      const isBranch = isObject(value) && (before?.kind === 'branch' || Object.keys(value).length > 0);
      const problem = keyProblem(key) ?? (isBranch ? depthProblem(path) : valueProblem(value, path.length));
      if (problem !== undefined) {
        this.#refuse(path, `${layer}: ${problem}`);
        continue;
      }
      if (isBranch) {
        const below = before?.kind === 'branch' ? before : this.#put(children, key, branch());
        this.#merge(below, value, layer, path);
        if (below === before || below.children.size > 0) continue;
        // All its members were left out, so the previous value stays.
        if (before === undefined) this.#remove(children, key);
        else this.#put(children, key, before);
        continue;
      }
      const grows =
        bytesOf(key) + twinSizeOf(value) - (before === undefined ? 0 : bytesOf(key) + sizeOfNode(before));
      if (grows > 0 && this.#bytes + grows > TWIN_LIMITS.sectionBytes[this.#section]) {
        this.#refuse(
          path,
          `${layer}: ${this.#section} would be larger than ${TWIN_LIMITS.sectionBytes[this.#section]} bytes`,
        );
        continue;
      }
      this.#put(children, key, { kind: 'leaf', value, layer });
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
    this.#bytes += bytesOf(key) + sizeOfNode(node);
    return node;
  }

  #remove(children: Map<string, Node>, key: string): void {
    const before = children.get(key);
    if (before === undefined) return;
    children.delete(key);
    this.#bytes -= bytesOf(key) + sizeOfNode(before);
  }
}

/** The name of the enrollment in the provenance. */
const OWN = 'enrollment';

function depthProblem(path: readonly string[]): string | undefined {
  return path.length > TWIN_LIMITS.depth ? `is nested deeper than ${TWIN_LIMITS.depth} levels` : undefined;
}

function branch(): Branch {
  return { kind: 'branch', children: new Map() };
}

function bytesOf(key: string): number {
  return Buffer.byteLength(key, 'utf8');
}

function sizeOfNode(node: Node): number {
  if (node.kind === 'leaf') return twinSizeOf(node.value);
  let bytes = 0;
  for (const [key, child] of node.children) bytes += bytesOf(key) + sizeOfNode(child);
  return bytes;
}

function toJson({ children }: Branch): JsonObject {
  const members: (readonly [string, JsonValue])[] = [];
  for (const [key, node] of children) members.push([key, node.kind === 'leaf' ? node.value : toJson(node)]);
  return objectOf(members);
}

function addLeaves({ children }: Branch, above: string, leaves: (readonly [string, string])[]): void {
  for (const [key, node] of children) {
    const path = `${above}.${key}`;
    if (node.kind === 'leaf') leaves.push([path, node.layer]);
    else addLeaves(node, path, leaves);
  }
}
