import type { ErrorDetail } from '../../errors.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../../json/json.ts';
import type { Models } from '../fleet.ts';
import { readFileText } from './file-text.ts';
import { type ParsedFleet, parseFleet } from './parse.ts';

/** A file in `models/`: its path below that folder, with `/` as separator, and its text. */
export interface ModelFile {
  readonly name: string;
  readonly text: string;
}

/** The maximum size of all files together, which every start reads into memory. */
export const MAX_MODEL_BYTES = 8 * 1024 * 1024;

/** More levels than DTDL allows in a schema. */
const MAX_DEPTH = 64;

/**
 * An id of DTDL 2 to 4, with at most 2,048 characters. Since DTDL 3, the version may be absent or have two
 * parts (Digital Twins Definition Language, "Digital Twin Model Identifier").
 */
const DTMI =
  /^(?=.{1,2048}$)dtmi:[A-Za-z](?:\w*[A-Za-z0-9])?(?::[A-Za-z_](?:\w*[A-Za-z0-9])?)*(?:;[1-9]\d{0,8}(?:\.\d{1,6})?)?$/;
/** Names of components, which are keys of twins (DTDL 3, "Component"). */
const NAME = /^[A-Za-z](?:\w{0,510}[A-Za-z0-9])?$/;
const CONTEXT = /^dtmi:dtdl:context;[234]$/;

/**
 * Reads a fleet file and the models next to it. It never throws: it returns the problems of both at once.
 */
export function parseFleetWithModels(text: string, files: readonly ModelFile[]): ParsedFleet {
  const { models, problems } = readModels(files);
  const parsed = parseFleet(text, models);
  if (problems.length === 0) return parsed;
  return { ok: false, problems: [...(parsed.ok ? [] : parsed.problems), ...problems] };
}

/** An interface in a file, before its base interfaces are resolved. */
interface Interface {
  readonly id: string;
  /** Its file and position, for messages. */
  readonly place: string;
  readonly json: JsonObject;
  readonly components: readonly string[];
  readonly bases: readonly string[];
}

interface Reading {
  readonly interfaces: Interface[];
  readonly problems: ErrorDetail[];
}

/**
 * Reads DTDL files (versions 2 to 4), each with an interface or a list of interfaces. It reads only the
 * components of an interface, including inherited ones, and does not check the rest. It never throws.
 *
 * @example readModels([{ name: 'controller.json', text }]).models // { 'dtmi:com:example:Controller;1': ['thermostat1'] }
 */
export function readModels(files: readonly ModelFile[]): {
  readonly models: Models;
  readonly problems: readonly ErrorDetail[];
} {
  const reading: Reading = { interfaces: [], problems: [] };
  const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text, 'utf8'), 0);
  if (bytes > MAX_MODEL_BYTES) {
    const message = `has ${bytes} bytes of models, more than ${MAX_MODEL_BYTES}: remove models that no device has`;
    return { models: {}, problems: [{ path: 'models', message }] };
  }
  for (const file of files) readFile(file, reading);
  const { problems } = reading;
  const known = byId(reading);
  const models: Record<string, readonly string[]> = {};
  for (const each of known.values()) {
    const components = componentsOf(each, known, problems);
    if (components.length > 0) models[each.id] = components;
  }
  return { models: problems.length === 0 ? models : {}, problems };
}

function readFile({ name, text }: ModelFile, reading: Reading): void {
  const place = `models/${name}`;
  const parsed = readFileText(text, MAX_DEPTH);
  if (!parsed.ok) {
    for (const { path, message } of parsed.problems) {
      reading.problems.push({ path: path === '' ? place : `${place}.${path}`, message });
    }
    return;
  }
  const { json } = parsed;
  const isList = Array.isArray(json);
  const items = listOf(json);
  if (items.length === 0)
    reading.problems.push({ path: place, message: 'is an empty list: write an interface' });
  items.forEach((item, index) => {
    const path = isList ? `${place}[${index}]` : place;
    if (isObject(item) && isA(item, 'Interface')) checkContext(item, path, reading);
    readInterface(item, path, reading);
  });
}

function checkContext(json: JsonObject, path: string, { problems }: Reading): void {
  const context = json['@context'];
  const contexts = Array.isArray(context) ? context : [context];
  if (contexts.some((each) => typeof each === 'string' && CONTEXT.test(each))) return;
  const found = context === undefined ? 'is missing' : `is ${shown(context)}`;
  problems.push({
    path: `${path}.@context`,
    message: `${found}: write "dtmi:dtdl:context;2" or "dtmi:dtdl:context;3"`,
  });
}

/** Reads an interface. Returns its id; undefined if it is not valid. */
function readInterface(json: JsonValue, path: string, reading: Reading): string | undefined {
  const problem = (at: string, message: string) => {
    reading.problems.push({ path: `${path}${at}`, message });
    return undefined;
  };
  if (!isObject(json)) return problem('', `is ${shown(json)}: write a DTDL interface`);
  if (!isA(json, 'Interface')) {
    const type = json['@type'];
    return problem('.@type', `${type === undefined ? 'is missing' : `is ${shown(type)}`}: write "Interface"`);
  }
  const id = json['@id'];
  if (typeof id !== 'string' || !DTMI.test(id)) {
    return problem(
      '.@id',
      `${id === undefined ? 'is missing' : `is ${shown(id)}`}: write an id such as "dtmi:com:example:Thermostat;1"`,
    );
  }
  const components = readComponents(json, path, reading);
  const bases = listOf(json.extends).flatMap((base, index) =>
    referenceOf(base, `${path}.extends[${index}]`, reading),
  );
  reading.interfaces.push({ id, place: path, json, components, bases });
  return id;
}

function readComponents(json: JsonObject, path: string, reading: Reading): readonly string[] {
  const names: string[] = [];
  listOf(json.contents).forEach((content, index) => {
    const at = `${path}.contents[${index}]`;
    const problem = (where: string, message: string) =>
      reading.problems.push({ path: `${at}${where}`, message });
    if (!isObject(content)) {
      problem('', `is ${shown(content)}: write an object`);
      return;
    }
    if (!isA(content, 'Component')) return;
    const { name, schema } = content;
    if (typeof name !== 'string' || !NAME.test(name)) {
      const found = name === undefined ? 'is missing' : `is ${shown(name)}`;
      problem('.name', `${found}: write a name of letters, digits and "_"`);
      return;
    }
    if (names.includes(name))
      problem('.name', `is ${shown(name)}, which is already used: give each component its own name`);
    // Only the name of a component matters. The files may lack its interface.
    if (schema === undefined) problem('.schema', 'is missing: write the id of an interface');
    else referenceOf(schema, `${at}.schema`, reading);
    names.push(name);
  });
  return names;
}

/** The id of another interface, which is referenced by id or written inline. */
function referenceOf(json: JsonValue, path: string, reading: Reading): readonly string[] {
  const id = isObject(json) && json['@type'] === undefined ? json['@id'] : json;
  if (isObject(id)) {
    const inline = readInterface(id, path, reading);
    return inline === undefined ? [] : [inline];
  }
  if (typeof id === 'string' && DTMI.test(id)) return [id];
  reading.problems.push({ path, message: `is ${shown(json)}: write the id of an interface` });
  return [];
}

/** The interfaces by id. Several files may contain the same interface. */
function byId({ interfaces, problems }: Reading): ReadonlyMap<string, Interface> {
  const known = new Map<string, Interface>();
  for (const each of interfaces) {
    const other = known.get(each.id);
    if (other === undefined) known.set(each.id, each);
    else if (!sameJson(withoutContext(other.json), withoutContext(each.json))) {
      const message = `is "${each.id}", which ${other.place} defines differently: give it another version, or remove one`;
      problems.push({ path: `${each.place}.@id`, message });
    }
  }
  return known;
}

/** The interface without its context, because an inline interface has the context of the outer one. */
function withoutContext({ '@context': _, ...json }: JsonObject): JsonObject {
  return json;
}

/** The components of an interface and of all its base interfaces. */
function componentsOf(
  { id, place, bases, components }: Interface,
  known: ReadonlyMap<string, Interface>,
  problems: ErrorDetail[],
): readonly string[] {
  const path = `${place}.extends`;
  const names = new Set(components);
  const seen = new Set<string>();
  const waiting = [...bases];
  for (let base = waiting.pop(); base !== undefined; base = waiting.pop()) {
    if (seen.has(base)) continue;
    seen.add(base);
    const found = known.get(base);
    for (const name of found?.components ?? []) names.add(name);
    waiting.push(...(found?.bases ?? []));
    if (found === undefined && bases.includes(base)) {
      problems.push({ path, message: `names "${base}", which no file in models/ defines: add its file` });
    }
  }
  if (seen.has(id))
    problems.push({ path, message: `is circular: "${id}" extends itself. Remove one of the references` });
  return [...names].sort();
}

/** Reads a list. JSON-LD may write a list of one item without brackets. */
function listOf(json: JsonValue | undefined): readonly JsonValue[] {
  if (json === undefined) return [];
  return Array.isArray(json) ? json : [json];
}

/** Whether `@type` contains a type of DTDL. It may contain further types, such as that of a unit. */
function isA(json: JsonObject, type: 'Interface' | 'Component'): boolean {
  return listOf(json['@type']).some((each) => each === type);
}

function shown(json: JsonValue): string {
  const text = JSON.stringify(json);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
