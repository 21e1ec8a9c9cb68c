/** Paths with what stands at them, so that finding what lies above or below one does not go over all of them. */
export class PathTree<Value> {
  readonly #root: Node<Value> = { children: new Map(), here: undefined, below: undefined };
  #count = 0;

  /** Of two values at one path, the first is kept. */
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

  /** What was added first of all that lies above or below a path, and not at it. */
  aboveOrBelow(path: readonly string[]): Value | undefined {
    return this.#first(path, false)?.value;
  }

  /** What was added first of all that lies at a path, above or below it. */
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
  /** What was added first at this path. */
  here: Entry<Value> | undefined;
  /** What was added first below it. */
  below: Entry<Value> | undefined;
}

function earlier<Value>(
  one: Entry<Value> | undefined,
  other: Entry<Value> | undefined,
): Entry<Value> | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.order <= other.order ? one : other;
}
