import type { Omission } from '../../fleet/expressions/template.ts';
import { keyProblem, TWIN_LIMITS, twinSizeOf, valueProblem } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue, objectOf } from '../../json/json.ts';
import { Omissions } from '../request/omissions.ts';

/** A section of a twin while layers are put on top of each other: what is where, and which layer put it there. */
type Node = { readonly kind: 'leaf'; readonly value: JsonValue; readonly layer: string } | Branch;
interface Branch {
  readonly kind: 'branch';
  readonly children: Map<string, Node>;
}

/**
 * One section of an initial twin. The enrollment's own comes first and whole; layers are laid on it leaf by leaf,
 * and a leaf that no twin can hold, or for which the section has no room left, is left out by itself. Takes time
 * in proportion to what is laid: devices choose its size.
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
   * Objects merge, arrays and scalars replace, `null` deletes. What breaks a limit of twins is left out.
   *
   * @param layer its name, for the provenance and for what is left out
   */
  lay(layer: string, json: JsonObject): void {
    this.#merge(this.#root, json, layer, []);
  }

  /**
   * The enrollment's own section, below all layers. No limit is applied: DPS alone would set it, and the hub, not
   * Berth, decides what it takes. `null` sets nothing.
   */
  layOwn(json: JsonObject): void {
    this.#putWhole(this.#root, json);
    this.#bytes = sizeOfNode(this.#root);
  }

  get value(): JsonObject {
    return toJson(this.#root);
  }

  /** For every leaf that is there, the layer that set it. */
  get provenance(): readonly (readonly [path: string, layer: string])[] {
    const leaves: (readonly [path: string, layer: string])[] = [];
    addLeaves(this.#root, this.#section, leaves);
    return leaves;
  }

  get omitted(): readonly Omission[] {
    return this.#omissions.list;
  }

  /** How many leaves no twin can hold, or have no room. */
  get beyondLimits(): number {
    return this.#beyondLimits;
  }

  /** Notes what is not laid at all. */
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
        // Nothing of it could be kept: then what was there before stays.
        if (before === undefined) this.#remove(children, key);
        else this.#put(children, key, before);
        continue;
      }
      const grows =
        bytesOf(key) + twinSizeOf(value) - (before === undefined ? 0 : bytesOf(key) + sizeOfNode(before));
      if (grows > 0 && this.#bytes + grows > TWIN_LIMITS.sectionBytes[this.#section]) {
        this.#refuse(path, `${layer}: ${this.#section} has no room for it`);
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

/** What the provenance calls the enrollment's own twin. */
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
