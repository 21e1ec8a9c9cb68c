import {
  canonicalJson,
  isObject,
  type JsonObject,
  type JsonValue,
  jsonOrUndefined,
} from '../../json/json.ts';

/*
 * `createOptions` of a module: the body of Docker's "create container" as JSON text. In a twin, edgeAgent cuts the text into
 * chunks of 512 characters: createOptions, createOptions01, … createOptions99. It sorts their names as text without regard
 * to case, and counts from 1 without a gap (iotedge: Agent.Docker/Constants.cs, edge-util JsonEx.cs).
 */

export const CHUNK_CHARACTERS = 512;
export const MOST_CHUNKS = 100;

const CHUNK = /^createoptions([0-9]*)$/i;

/** A field of a module that holds a part of its options. */
export function isChunk(field: string): boolean {
  return CHUNK.test(field);
}

export type ReadOptions =
  | {
      readonly ok: true;
      /** JSON text. Empty: no options. */
      readonly text: string;
      readonly options: JsonObject;
    }
  | { readonly ok: false; readonly field: string; readonly problem: string };

/**
 * Reads the options of a module in each form that operators write: an object, a JSON text as in a manifest, or its chunks.
 *
 * @param fields the module; other fields than chunks are ignored
 * @example readCreateOptions({ createOptions: { HostConfig: { Privileged: true } } })
 */
export function readCreateOptions(fields: JsonObject): ReadOptions {
  const names = Object.keys(fields).filter(isChunk).sort(ignoringCase);
  const [first] = names;
  if (first === undefined) return NONE;
  const whole = fields[first];
  if (isObject(whole)) {
    const next = names[1];
    if (next !== undefined) return refused(next, 'follows an object: write all options in createOptions');
    return checked(first, canonicalJson(whole), whole);
  }
  let text = '';
  for (const [index, name] of names.entries()) {
    const part = fields[name];
    const digits = CHUNK.exec(name)?.[1] ?? '';
    if (index === 0 ? digits !== '' : Number(digits || -1) !== index) return refused(name, gapProblem(index));
    if (typeof part !== 'string') {
      return refused(name, index === 0 ? 'is neither an object nor a JSON text' : 'is not a text');
    }
    text += part;
  }
  // An empty text and "null" mean no options.
  if (text.trim() === '' || text.trim() === 'null') return NONE;
  const json = jsonOrUndefined(text);
  if (json === undefined) return refused(first, 'is not JSON: write an object, or the text of one');
  if (!isObject(json)) return refused(first, 'is JSON but not an object: write an object');
  // Equal options have equal texts, unless a number would lose digits.
  return checked(first, /[0-9]{16}/.test(text) ? text : canonicalJson(json), json);
}

/**
 * The fields of a module for its options, cut as edgeAgent itself cuts them. No chunk ends inside a character.
 *
 * @param text JSON text; empty: no options, so no field
 */
export function createOptionsFields(text: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  let at = 0;
  for (let index = 0; at < text.length; index += 1) {
    let end = Math.min(at + CHUNK_CHARACTERS, text.length);
    if (end < text.length && isHighSurrogate(text, end - 1)) end -= 1;
    fields[index === 0 ? 'createOptions' : `createOptions${String(index).padStart(2, '0')}`] = text.slice(
      at,
      end,
    );
    at = end;
  }
  return fields;
}

const NONE: ReadOptions = { ok: true, text: '', options: {} };

function checked(field: string, text: string, options: JsonObject): ReadOptions {
  if (Object.keys(createOptionsFields(text)).length > MOST_CHUNKS) {
    return refused(
      field,
      `is longer than ${MOST_CHUNKS * CHUNK_CHARACTERS} characters, which edgeAgent refuses`,
    );
  }
  const problem = shapeProblem(options, SHAPES);
  return problem === undefined ? { ok: true, text, options } : refused(field, problem);
}

function refused(field: string, problem: string): ReadOptions {
  return { ok: false, field, problem };
}

function gapProblem(index: number): string {
  if (index === 0) return 'has no createOptions before it: the first part has no number';
  return `is out of order: write createOptions${String(index).padStart(2, '0')} here, because parts count without a gap, with two digits`;
}

/** As edgeAgent sorts the names. */
function ignoringCase(one: string, other: string): number {
  const [left, right] = [one.toLowerCase(), other.toLowerCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}

function isHighSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xd800 && code <= 0xdbff;
}

type Shape = 'scalar' | 'texts' | 'list' | 'object' | { readonly [field: string]: Shape };

/**
 * The fields whose other shape edgeAgent cannot read: it answers 400 for the whole manifest (Docker Engine API, "Create a
 * container"). It keeps fields that it does not know, and converts numbers to texts.
 */
const SHAPES = {
  Hostname: 'scalar',
  Domainname: 'scalar',
  User: 'scalar',
  WorkingDir: 'scalar',
  Image: 'scalar',
  Tty: 'scalar',
  OpenStdin: 'scalar',
  StopSignal: 'scalar',
  StopTimeout: 'scalar',
  Env: 'texts',
  Cmd: 'texts',
  Entrypoint: 'texts',
  ExposedPorts: 'object',
  Volumes: 'object',
  Labels: 'object',
  Healthcheck: { Test: 'texts' },
  HostConfig: {
    Binds: 'texts',
    PortBindings: 'object',
    Devices: 'list',
    DeviceRequests: 'list',
    Mounts: 'list',
    CapAdd: 'texts',
    CapDrop: 'texts',
    Dns: 'texts',
    ExtraHosts: 'texts',
    GroupAdd: 'texts',
    VolumesFrom: 'texts',
    SecurityOpt: 'texts',
    Ulimits: 'list',
    LogConfig: 'object',
    RestartPolicy: 'object',
    Tmpfs: 'object',
    Sysctls: 'object',
    Privileged: 'scalar',
    NetworkMode: 'scalar',
    IpcMode: 'scalar',
    PidMode: 'scalar',
    Runtime: 'scalar',
    Memory: 'scalar',
    NanoCpus: 'scalar',
    CpuShares: 'scalar',
    ShmSize: 'scalar',
    ReadonlyRootfs: 'scalar',
  },
  NetworkingConfig: { EndpointsConfig: 'object' },
} as const satisfies Shape;

const EXPECTED: Readonly<Record<string, string>> = {
  scalar: 'a text, a number or true or false',
  texts: 'a list of texts',
  list: 'a list',
  object: 'an object',
};

/** Names the field, never its value: options may hold secrets. */
function shapeProblem(
  json: JsonObject,
  shapes: { readonly [field: string]: Shape },
  above = '',
): string | undefined {
  for (const [field, value] of Object.entries(json)) {
    const shape = Object.hasOwn(shapes, field) ? shapes[field] : undefined;
    if (shape === undefined || value === null) continue;
    const path = `${above}${field}`;
    if (typeof shape === 'object') {
      if (!isObject(value)) return `has ${path}, which is not an object: write an object`;
      const below = shapeProblem(value, shape, `${path}.`);
      if (below !== undefined) return below;
    } else if (!hasShape(value, shape))
      return `has ${path}, which is not ${EXPECTED[shape]}: write ${EXPECTED[shape]}`;
    if (path === 'HostConfig.PortBindings') {
      const problem = portProblem(value);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function hasShape(value: JsonValue, shape: Exclude<Shape, object>): boolean {
  switch (shape) {
    case 'scalar':
      return typeof value !== 'object';
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null);
    case 'list':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
  }
}

function portProblem(bindings: JsonValue): string | undefined {
  if (!isObject(bindings)) return undefined;
  for (const [port, list] of Object.entries(bindings)) {
    if (list === null || (Array.isArray(list) && list.every(isObject))) continue;
    return `has HostConfig.PortBindings["${port}"], which is not a list of objects: write [{"HostPort": "${port.split('/')[0]}"}]`;
  }
  return undefined;
}
