import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { isComponent } from './digital-twin.ts';
import { HubRefusal } from './hub-error.ts';
import type { HubTwin } from './twin.ts';

/** A name of DTDL (howto-manage-digital-twin.md, "Rules for setting the desired value"). */
const NAME = /^[A-Za-z](?:[A-Za-z0-9_]{0,62}[A-Za-z0-9])?$/;
/** The deepest object that a property may hold (same page). */
const MAX_DEPTH = 5;

/**
 * The patch of the desired properties for a JSON Patch of the digital twin (howto-manage-digital-twin.md). A component is
 * replaced as a whole: its other desired values are removed.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function desiredPatchOf(operations: JsonValue | undefined, twin: HubTwin): JsonObject {
  if (!Array.isArray(operations)) throw invalid('The body must be a JSON Patch: a list of operations.');
  const patch = new Map<string, JsonValue>();
  for (const operation of operations) {
    const [name, member] = readPath(ownMember(operation, 'path'));
    const value = readValue(operation);
    patch.set(name, patchedValue({ name, member, value, twin, before: patch.get(name) }));
  }
  return Object.fromEntries(patch);
}

interface OneOperation {
  readonly name: string;
  /** Set for a property of a component. */
  readonly member: string | undefined;
  readonly value: JsonValue;
  readonly twin: HubTwin;
  /** What the earlier operations set here. */
  readonly before: JsonValue | undefined;
}

function patchedValue({ name, member, value, twin, before }: OneOperation): JsonValue {
  const desired = ownMember(twin.desired.values, name);
  const reported = ownMember(twin.reported.values, name);
  const isKnownComponent = isComponent(desired) || isComponent(reported);
  if (member !== undefined) {
    if ((desired ?? reported) !== undefined && !isKnownComponent) throw notConformant(name);
    checkProperty(value);
    return { ...(isObject(before) ? before : {}), __t: 'c', [member]: value };
  }
  if (isObject(value) && Object.hasOwn(value, '$metadata')) return componentPatch(desired, value);
  if (value === null) return null;
  if (isKnownComponent) throw notConformant(name);
  checkProperty(value);
  return value;
}

function readPath(path: JsonValue | undefined): readonly [name: string, member: string | undefined] {
  const names = typeof path === 'string' && path.startsWith('/') ? path.slice(1).split('/') : [];
  const [name, member, ...more] = names;
  const isValid = name !== undefined && more.length === 0 && names.every((each) => NAME.test(each));
  if (isValid) return [name, member];
  throw invalid(
    `The path ${String(path).slice(0, 100)} is not /property, /component or /component/property.`,
  );
}

/** The value of an operation; null removes. */
function readValue(operation: JsonValue): JsonValue {
  const kind = ownMember(operation, 'op');
  if (kind === 'remove') return null;
  const value = ownMember(operation, 'value');
  if (kind !== 'add' && kind !== 'replace') throw invalid('op must be add, replace or remove.');
  if (value === undefined || value === null) throw invalid(`The operation ${kind} has no value.`);
  return value;
}

function componentPatch(current: JsonValue | undefined, value: JsonObject): JsonObject {
  const { $metadata: marker, ...properties } = value;
  if (!isObject(marker) || Object.keys(marker).length > 0)
    throw invalid('$metadata must be an empty object.');
  for (const [name, property] of Object.entries(properties)) {
    if (!NAME.test(name)) throw invalid(`${name.slice(0, 100)} is not a valid DTDL name.`);
    checkProperty(property);
  }
  const removed = isObject(current) ? Object.keys(current) : [];
  return { ...Object.fromEntries(removed.map((name) => [name, null])), __t: 'c', ...properties };
}

function checkProperty(value: JsonValue, depth = 0): void {
  if (Array.isArray(value)) throw invalid('A property of a digital twin cannot hold an array.');
  if (!isObject(value)) return;
  if (depth >= MAX_DEPTH) throw invalid(`A property of a digital twin has at most ${MAX_DEPTH} levels.`);
  for (const [name, inner] of Object.entries(value)) {
    if (!NAME.test(name)) throw invalid(`${name.slice(0, 100)} is not a valid DTDL name.`);
    checkProperty(inner, depth + 1);
  }
}

function notConformant(name: string): HubRefusal {
  return invalid(
    `'${name}' exists within the device twin and is not digital twin conformant property. Please refer to aka.ms/dtpatch to update this to be conformant.`,
  );
}

function invalid(problem: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', problem);
}
