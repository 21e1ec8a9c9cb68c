/** Values by path. It finds a value above or below a path without reading all paths. */
export class PathTree<Value> {
  readonly #root: Node<Value> = { children: new Map(), here: undefined, below: undefined };
  #count = 0;

  /** Adds a value. If the path already has one, the first stays. */
  add(path: readonly string[], value: Value): void {
    const entry = { order: this.#count, value };
    this.#count += 1;
    let node = this.#root;
    for (const key of path) {
      node.below ??= entry;
      let child = node.children.get(key);
      if (child === undefined) {
        child = { children: new Map(), here: undefined, below: undefined };
        node.children.set(key, child);
      }
      node = child;
    }
    node.here ??= entry;
  }

  /** The first added value above or below a path, but not at it. */
  aboveOrBelow(path: readonly string[]): Value | undefined {
    return this.#first(path, false)?.value;
  }

  /** The first added value at, above or below a path. */
  along(path: readonly string[]): Value | undefined {
    return this.#first(path, true)?.value;
  }

  #first(path: readonly string[], withIt: boolean): Entry<Value> | undefined {
    let node: Node<Value> | undefined = this.#root;
    let found: Entry<Value> | undefined;
    for (const key of path) {
      found = earlier(found, node.here);
      node = node.children.get(key);
      if (node === undefined) return found;
    }
    found = earlier(found, node.below);
    return withIt ? earlier(found, node.here) : found;
  }
}

interface Entry<Value> {
  readonly order: number;
  readonly value: Value;
}

interface Node<Value> {
  readonly children: Map<string, Node<Value>>;
  /** The first added value at this path. */
  here: Entry<Value> | undefined;
  /** The first added value below this path. */
  below: Entry<Value> | undefined;
}

function earlier<Value>(
  one: Entry<Value> | undefined,
  other: Entry<Value> | undefined,
): Entry<Value> | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.order <= other.order ? one : other;
}
