import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';

type Report = (path: readonly PropertyKey[], message: string) => void;

/**
 * Checks that nothing else in the fleet file sets or redacts the property of `allocation.moves.ask`. Like
 * `fleetReferenceProblems`, it reads the raw JSON and ignores values of the wrong shape.
 */
export function moveRequestProblems(file: JsonValue, problem: Report): void {
  const property = ownMember(ownMember(ownMember(ownMember(file, 'allocation'), 'moves'), 'ask'), 'property');
  if (typeof property !== 'string') return;
  const path = property.split('.');
  const twins = ownMember(file, 'twins');
  const at = (why: string) =>
    problem(
      ['allocation', 'moves', 'ask', 'property'],
      `is "${property}", ${why}: write a property that only Berth sets`,
    );
  for (const policy of items(ownMember(twins, 'policies'))) {
    const found =
      ownMember(policy, 'target') === undefined ? meets(ownMember(policy, 'desired'), path) : undefined;
    if (found !== undefined) at(`which meets ${found} of policy "${ownMember(policy, 'name')}"`);
  }
  for (const layer of items(ownMember(twins, 'initial'))) {
    const found = meets(ownMember(layer, 'desired'), path);
    if (found !== undefined) at(`which meets ${found} of layer "${ownMember(layer, 'name')}"`);
  }
  for (const redacted of items(ownMember(twins, 'redact'))) {
    if (typeof redacted === 'string' && isAlong(redacted.split('.'), path))
      at(`which "${redacted}" of twins.redact redacts`);
  }
}

/** The first property of an object that is at, above or below a path, with dots. Undefined: there is none. */
function meets(json: JsonValue | undefined, path: readonly string[]): string | undefined {
  let node: JsonValue | undefined = json;
  if (!isObject(node)) return undefined;
  for (const [depth, key] of path.entries()) {
    if (!isObject(node)) return path.slice(0, depth).join('.');
    node = ownMember(node, key);
    if (node === undefined) return undefined;
  }
  return isObject(node) ? firstBelow(node, path).join('.') : path.join('.');
}

function firstBelow(json: JsonObject, path: readonly string[]): readonly string[] {
  const [first] = Object.entries(json);
  if (first === undefined) return path;
  const [key, value] = first;
  return isObject(value) ? firstBelow(value, [...path, key]) : [...path, key];
}

function isAlong(one: readonly string[], other: readonly string[]): boolean {
  const depth = Math.min(one.length, other.length);
  return one.slice(0, depth).every((key, index) => key === other[index]);
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
