import type { ErrorDetail } from '../../errors.ts';
import { type HostName, type HubName, parseHubName, shortName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { comparisonProblems } from './comparison-problems.ts';
import { PathTree } from './path-tree.ts';
import { pathText } from './problems.ts';

/**
 * What one part of a fleet file says about another: names that are taken, effects that exclude each other,
 * paths that overlap. Reads the raw JSON and passes over what has the wrong shape, so that these problems are
 * reported together with those of `schema.ts`.
 */
export function fleetReferenceProblems(file: JsonValue): readonly ErrorDetail[] {
  const problems: ErrorDetail[] = [];
  const problem: Report = (path, message) => problems.push({ path: pathText(path), message });
  const hubs = items(ownMember(file, 'hubs'));
  const allocation = ownMember(file, 'allocation');
  const twins = ownMember(file, 'twins');
  const rules = items(ownMember(allocation, 'rules'));
  const layers = items(ownMember(twins, 'initial'));
  const policies = items(ownMember(twins, 'policies'));

  checkHosts(hubs, problem);
  checkNames(rules, ['allocation', 'rules'], problem);
  checkEffects(rules, problem);
  checkPreferences(rules, problem);
  checkNames(layers, ['twins', 'initial'], problem);
  checkLayers(layers, problem);
  checkNames(policies, ['twins', 'policies'], problem);
  checkOwnership(policies, items(ownMember(twins, 'redact')), problem);
  policies.forEach((policy, index) => {
    if (!isObject(policy)) return;
    comparisonProblems(policy, (path, message) => problem(['twins', 'policies', index, ...path], message));
  });
  return problems;
}

type Report = (path: readonly PropertyKey[], message: string) => void;

function checkHosts(hubs: readonly JsonValue[], problem: Report): void {
  const seen = new Map<string, HubName>();
  hubs.forEach((hub, index) => {
    for (const name of hubNameIn(ownMember(hub, 'host'))) {
      const short = shortName(name.host);
      const other = seen.get(short);
      if (other?.name === name.name)
        problem(['hubs', index, 'host'], `is "${name.name}", which is listed twice`);
      else if (other?.host === name.host) {
        problem(
          ['hubs', index, 'host'],
          `is "${name.name}", which is another name of the hub ${other.name}: write each hub once`,
        );
      } else if (other !== undefined) {
        problem(
          ['hubs', index, 'host'],
          `begins with "${short}" as ${other.host} does: events name their hub by that part only, so the two cannot be told apart`,
        );
      }
      seen.set(short, name);
      checkServiceHost(name, ownMember(hub, 'serviceHost'), ['hubs', index, 'serviceHost'], problem);
    }
  });
}

/** Twin calls never go to a device name, which serves devices only. */
function checkServiceHost(
  { host }: HubName,
  text: JsonValue | undefined,
  path: readonly PropertyKey[],
  problem: Report,
): void {
  for (const { host: other, kind, name } of hubNameIn(text)) {
    if (other !== host) problem(path, `is "${name}", which is not a name of ${host}`);
    else if (kind === 'device') {
      problem(path, `is "${name}", which serves devices only: write the classic or the service name`);
    }
  }
}

/** Two names of one hub would be two factors, of which one is lost. */
function checkPreferences(rules: readonly JsonValue[], problem: Report): void {
  rules.forEach((rule, index) => {
    const prefer = ownMember(rule, 'prefer');
    const path = ['allocation', 'rules', index, 'prefer'];
    const seen = new Map<HostName, string>();
    for (const text of isObject(prefer) ? Object.keys(prefer) : []) {
      const [parsed] = hubNameIn(text);
      if (parsed === undefined) continue;
      const other = seen.get(parsed.host);
      if (other !== undefined) {
        problem(path, `holds "${text}" and "${other}", which name the same hub: write each hub once`);
      }
      seen.set(parsed.host, text);
    }
  });
}

function checkNames(parts: readonly JsonValue[], path: readonly PropertyKey[], problem: Report): void {
  const seen = new Set<JsonValue>();
  parts.forEach((part, index) => {
    const name = ownMember(part, 'name');
    if (typeof name !== 'string') return;
    if (seen.has(name)) {
      problem([...path, index, 'name'], `is "${name}", which is taken: give each its own name`);
    }
    seen.add(name);
  });
}

const EFFECTS = ['require', 'hub', 'deny', 'prefer'];

function checkEffects(rules: readonly JsonValue[], problem: Report): void {
  rules.forEach((rule, index) => {
    if (!isObject(rule)) return;
    const effects = EFFECTS.filter((effect) => ownMember(rule, effect) !== undefined);
    if (effects.length === 1) return;
    const has = effects.length === 0 ? 'no effect' : `${effects.length} effects`;
    problem(['allocation', 'rules', index], `has ${has}: write exactly one of ${EFFECTS.join(', ')}`);
  });
}

function checkLayers(layers: readonly JsonValue[], problem: Report): void {
  layers.forEach((layer, index) => {
    if (!isObject(layer) || 'tags' in layer || 'desired' in layer) return;
    problem(['twins', 'initial', index], 'sets nothing: write tags, desired or both');
  });
}

/** A path above or below an owned one would have no single owner, and a redacted one cannot be compared. */
function checkOwnership(
  policies: readonly JsonValue[],
  redacted: readonly JsonValue[],
  problem: Report,
): void {
  const hidden = new PathTree<string>();
  for (const text of redacted) if (typeof text === 'string') hidden.add(text.split('.'), text);
  /** By target: policies of one target may set a path that another target's set too. */
  const owned = new Map<JsonValue | undefined, PathTree<Owned>>();
  policies.forEach((policy, index) => {
    const desired = ownMember(policy, 'desired');
    if (!isObject(desired)) return;
    const target = ownMember(policy, 'target');
    const paths = owned.get(target) ?? new PathTree<Owned>();
    owned.set(target, paths);
    for (const path of leafPaths(desired)) {
      const where = ['twins', 'policies', index, 'desired', ...path];
      // Not of the same policy: leaves of one object do not lie above each other.
      const clash = paths.aboveOrBelow(path);
      if (clash !== undefined) {
        problem(
          where,
          `lies above or below ${clash.path.join('.')}, which policy "${ownMember(clash.policy, 'name')}" sets: let both set the same leaves`,
        );
      }
      const text = hidden.along(path);
      if (text !== undefined) {
        problem(where, `is redacted by "${text}": a policy cannot own what Berth may not read`);
      }
      paths.add(path, { policy, path });
    }
  });
}

interface Owned {
  readonly policy: JsonValue;
  readonly path: readonly string[];
}

function leafPaths(json: JsonObject, above: readonly string[] = []): readonly (readonly string[])[] {
  return Object.entries(json).flatMap(([key, value]) =>
    isObject(value) ? leafPaths(value, [...above, key]) : [[...above, key]],
  );
}

/** None for what is no host name: `schema.ts` reports that. */
function hubNameIn(text: JsonValue | undefined): readonly HubName[] {
  const name = typeof text === 'string' ? parseHubName(text) : undefined;
  return name === undefined ? [] : [name];
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
