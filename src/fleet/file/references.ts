import type { ErrorDetail } from '../../errors.ts';
import { type HostName, type HubName, parseHubName, shortName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { comparisonProblems } from './comparison-problems.ts';
import { edgeReferenceProblems } from './edge/edge-references.ts';
import { moveRequestProblems } from './move-request-problems.ts';
import { PathTree } from './path-tree.ts';
import { pathText } from './problems.ts';

/**
 * Checks that the parts of a fleet file fit together: unique names, one effect for each rule, no overlapping
 * paths. It reads the raw JSON and ignores values of the wrong shape, so that these problems are reported
 * together with those of `schema.ts`.
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
  edgeReferenceProblems(ownMember(file, 'edge'), policies, problem);
  moveRequestProblems(file, problem);
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
        problem(['hubs', index, 'host'], `is "${name.name}", which is listed twice: remove one`);
      else if (other?.host === name.host) {
        problem(
          ['hubs', index, 'host'],
          `is "${name.name}", which is another name of the hub ${other.name}: write each hub once`,
        );
      } else if (other !== undefined) {
        problem(
          ['hubs', index, 'host'],
          `starts with "${short}" like ${other.host}: events contain only this part of the name, so Berth cannot distinguish the hubs. Use a hub with another name`,
        );
      }
      seen.set(short, name);
      checkServiceHost(name, ownMember(hub, 'serviceHost'), ['hubs', index, 'serviceHost'], problem);
    }
  });
}

/** Checks the host name for service calls. A device name accepts only calls of devices. */
function checkServiceHost(
  { host }: HubName,
  text: JsonValue | undefined,
  path: readonly PropertyKey[],
  problem: Report,
): void {
  for (const { host: other, kind, name } of hubNameIn(text)) {
    if (other !== host)
      problem(path, `is "${name}", which is not a name of ${host}: write a name of this hub`);
    else if (kind === 'device') {
      problem(path, `is "${name}", which is only for devices: write the classic or the service name`);
    }
  }
}

/** Refuses two names of one hub, because only one of the two factors would apply. */
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
        problem(path, `contains "${text}" and "${other}", which name the same hub: write each hub once`);
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
      problem([...path, index, 'name'], `is "${name}", which is already used: use another name`);
    }
    seen.add(name);
  });
}

const EFFECTS = ['require', 'hub', 'deny', 'prefer', 'parent'];

function checkEffects(rules: readonly JsonValue[], problem: Report): void {
  rules.forEach((rule, index) => {
    if (!isObject(rule)) return;
    const effects = EFFECTS.filter((effect) => ownMember(rule, effect) !== undefined);
    if (ownMember(rule, 'parent') !== undefined && ownMember(rule, 'whenUnknown') === 'apply') {
      problem(
        ['allocation', 'rules', index, 'whenUnknown'],
        'is apply, but an unknown parent cannot be applied: write skip (the default) or refuse',
      );
    }
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

/**
 * Refuses overlapping paths, which would have no single owner, and redacted paths, which cannot be compared.
 */
function checkOwnership(
  policies: readonly JsonValue[],
  redacted: readonly JsonValue[],
  problem: Report,
): void {
  const hidden = new PathTree<string>();
  for (const text of redacted) if (typeof text === 'string') hidden.add(text.split('.'), text);
  /** By target: policies with different targets may set the same path. */
  const owned = new Map<JsonValue | undefined, PathTree<Owned>>();
  policies.forEach((policy, index) => {
    const desired = ownMember(policy, 'desired');
    if (!isObject(desired)) return;
    const target = ownMember(policy, 'target');
    const paths = owned.get(target) ?? new PathTree<Owned>();
    owned.set(target, paths);
    for (const path of leafPaths(desired)) {
      const where = ['twins', 'policies', index, 'desired', ...path];
      // The other path is of another policy, because leaves of one object do not overlap.
      const clash = paths.aboveOrBelow(path);
      if (clash !== undefined) {
        problem(
          where,
          `is above or below ${clash.path.join('.')}, which policy "${ownMember(clash.policy, 'name')}" sets: set the same properties in both policies`,
        );
      }
      const text = hidden.along(path);
      if (text !== undefined) {
        problem(
          where,
          `is redacted by "${text}", so a policy cannot own it: remove it here or from twins.redact`,
        );
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

/** Empty for a text that is not a host name, which `schema.ts` reports. */
function hubNameIn(text: JsonValue | undefined): readonly HubName[] {
  const name = typeof text === 'string' ? parseHubName(text) : undefined;
  return name === undefined ? [] : [name];
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
