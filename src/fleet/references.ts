import type { ErrorDetail } from '../errors.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import { comparisonProblems } from './comparison-problems.ts';
import { type HostName, hostName, shortName } from './host-name.ts';
import { pathText } from './problems.ts';

/**
 * What one part of a fleet file says about another: names that are taken, effects that exclude each other,
 * paths that overlap. Reads the raw JSON and passes over what has the wrong shape, so that these problems are
 * reported together with those of `schema.ts`.
 */
export function referenceProblems(file: JsonValue): readonly ErrorDetail[] {
  const problems: ErrorDetail[] = [];
  const problem: Report = (path, message) => problems.push({ path: pathText(path), message });
  const hubs = items(member(file, 'hubs'));
  const allocation = member(file, 'allocation');
  const twins = member(file, 'twins');
  const rules = items(member(allocation, 'rules'));
  const layers = items(member(twins, 'initial'));
  const policies = items(member(twins, 'policies'));

  checkHosts(hubs, problem);
  checkNames(rules, ['allocation', 'rules'], problem);
  checkEffects(rules, problem);
  checkNames(layers, ['twins', 'initial'], problem);
  checkLayers(layers, problem);
  checkNames(policies, ['twins', 'policies'], problem);
  checkOwnership(policies, items(member(twins, 'redact')), problem);
  policies.forEach((policy, index) => {
    if (!isObject(policy)) return;
    comparisonProblems(policy, (path, message) => problem(['twins', 'policies', index, ...path], message));
  });
  return problems;
}

type Report = (path: readonly PropertyKey[], message: string) => void;

function checkHosts(hubs: readonly JsonValue[], problem: Report): void {
  const seen = new Map<string, HostName>();
  hubs.forEach((hub, index) => {
    for (const host of hostOf(hub)) {
      const other = seen.get(shortName(host));
      if (other === host) problem(['hubs', index, 'host'], `is "${host}", which is listed twice`);
      else if (other !== undefined) {
        problem(
          ['hubs', index, 'host'],
          `begins with "${shortName(host)}" as ${other} does: events name their hub by that part only, so the two cannot be told apart`,
        );
      }
      seen.set(shortName(host), host);
    }
  });
}

function checkNames(parts: readonly JsonValue[], path: readonly PropertyKey[], problem: Report): void {
  const seen = new Set<JsonValue>();
  parts.forEach((part, index) => {
    const name = member(part, 'name');
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
    const effects = EFFECTS.filter((effect) => member(rule, effect) !== undefined);
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
  const owned: { readonly policy: JsonValue; readonly path: readonly string[] }[] = [];
  policies.forEach((policy, index) => {
    const desired = member(policy, 'desired');
    if (!isObject(desired)) return;
    for (const path of leafPaths(desired)) {
      const where = ['twins', 'policies', index, 'desired', ...path];
      const clash = owned.find(
        (other) =>
          other.policy !== policy &&
          member(other.policy, 'target') === member(policy, 'target') &&
          isAbove(other.path, path) !== isAbove(path, other.path),
      );
      if (clash !== undefined) {
        problem(
          where,
          `lies above or below ${clash.path.join('.')}, which policy "${member(clash.policy, 'name')}" sets: let both set the same leaves`,
        );
      }
      const hidden = redacted.find(
        (text) =>
          typeof text === 'string' && (isAbove(text.split('.'), path) || isAbove(path, text.split('.'))),
      );
      if (hidden !== undefined) {
        problem(where, `is redacted by "${hidden}": a policy cannot own what Berth may not read`);
      }
      owned.push({ policy, path });
    }
  });
}

function leafPaths(json: JsonObject, above: readonly string[] = []): readonly (readonly string[])[] {
  return Object.entries(json).flatMap(([key, value]) =>
    isObject(value) ? leafPaths(value, [...above, key]) : [[...above, key]],
  );
}

/** True where `path` is `other` or a beginning of it. */
function isAbove(path: readonly string[], other: readonly string[]): boolean {
  return path.every((part, index) => part === other[index]);
}

function hostOf(hub: JsonValue): readonly HostName[] {
  const host = member(hub, 'host');
  return typeof host === 'string' ? [hostName(host)] : [];
}

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
