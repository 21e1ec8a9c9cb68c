import type { ErrorDetail } from '../../errors.ts';
import { hostName, shownHub } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject } from '../../json/json.ts';
import type { FleetFile } from '../schema.ts';
import { edgeWarnings } from './edge/edge-warnings.ts';
import { pathText } from './problems.ts';
import { rolloutsOf, rolloutWarnings } from './rollout-warnings.ts';

/** Warnings about valid content with an effect that the operator may not expect. They are logged at load. */
export function fleetWarnings(file: FleetFile): readonly ErrorDetail[] {
  return [
    ...unknownHubs(file),
    ...scopesWithoutParents(file),
    ...strayMarkers(file),
    ...namesNeverSeen(file),
    ...rolloutWarnings(file),
    ...edgeWarnings(file.edge),
  ];
}

/** Rules may name a hub before it is added or after it is removed. */
function unknownHubs({ hubs, allocation }: FleetFile): readonly ErrorDetail[] {
  const known = new Set(hubs.map(({ host }) => hostName(host)));
  return allocation.rules.flatMap(({ hub, prefer = {} }, index) => {
    const path = ['allocation', 'rules', index];
    const named = hub === undefined || known.has(hostName(hub)) ? [] : [hub];
    const preferred = Object.keys(prefer).filter((host) => !known.has(hostName(host)));
    return [
      ...named.map((host) => ({
        path: pathText([...path, 'hub']),
        message: `names ${shownHub(host)}, an unknown hub: matching devices get no hub. Add it to hubs, or correct the rule`,
      })),
      ...preferred.map((host) => ({
        path: pathText([...path, 'prefer']),
        message: `names ${shownHub(host)}, an unknown hub: this factor has no effect. Add it to hubs, or correct the rule`,
      })),
    ];
  });
}

/** The right that the option needs would be given for nothing. */
function scopesWithoutParents({ allocation: { setScopes, rules } }: FleetFile): readonly ErrorDetail[] {
  if (!setScopes || rules.some(({ parent }) => parent !== undefined)) return [];
  const message =
    'is true, but no rule names a parent, so it has no effect: add a rule with parent, or remove it';
  return [{ path: 'allocation.setScopes', message }];
}

/** A device or service name of a hub in a condition. */
const OTHER_NAME = /[a-z0-9-]+\.(?:device|service)\.azure-devices\.(?:net|cn|us)/i;

/** Expressions see the classic name of a hub, so a comparison with another name never matches. */
function namesNeverSeen(file: FleetFile): readonly ErrorDetail[] {
  const { allocation, twins, edge } = file;
  const conditions = [
    ...allocation.rules.map(({ when }, index) => ({ when, path: ['allocation', 'rules', index, 'when'] })),
    ...twins.initial.map(({ when }, index) => ({ when, path: ['twins', 'initial', index, 'when'] })),
    ...twins.policies.map(({ when }, index) => ({ when, path: ['twins', 'policies', index, 'when'] })),
    { when: twins.scope, path: ['twins', 'scope'] },
    ...(edge?.deployments ?? []).map(({ when }, index) => ({
      when,
      path: ['edge', 'deployments', index, 'when'],
    })),
    ...rolloutsOf(file).flatMap(({ rollout, path }) =>
      (rollout.stages ?? []).map(({ where }, index) => ({
        when: where,
        path: [...path, 'stages', index, 'where'],
      })),
    ),
  ];
  return conditions.flatMap(({ when, path }) => {
    const [name] = OTHER_NAME.exec(when ?? '') ?? [];
    if (name === undefined) return [];
    return [
      {
        path: pathText(path),
        message: `compares with "${name}", which never matches: write the classic name, "${hostName(name)}"`,
      },
    ];
  });
}

/**
 * A `__t` that does not mark a component: devices would treat the object around it as a property of their
 * root.
 */
function strayMarkers({ twins }: FleetFile): readonly ErrorDetail[] {
  const parts = [
    ...twins.initial.map(({ desired }, index) => ({ path: ['twins', 'initial', index, 'desired'], desired })),
    ...twins.policies.map(({ desired }, index) => ({
      path: ['twins', 'policies', index, 'desired'],
      desired,
    })),
  ];
  return parts.flatMap(({ path, desired }) => straysIn((desired ?? {}) as JsonObject, path, 1));
}

function straysIn(
  json: JsonObject,
  path: readonly (string | number)[],
  depth: number,
): readonly ErrorDetail[] {
  return Object.entries(json).flatMap(([key, value]) => {
    const here = [...path, key];
    if (isObject(value)) return straysIn(value, here, depth + 1);
    if (key !== '__t') return [];
    const isExpression = typeof value === 'string' && value.startsWith('=');
    if (depth === 2 && (value === 'c' || value === null || isExpression)) return [];
    const message =
      depth === 2
        ? `is ${JSON.stringify(value)}, which does not mark a component: write "c"`
        : 'does not mark a component: write components at the top level of desired, as in {"thermostat1": {"__t": "c"}}';
    return [{ path: pathText(here), message }];
  });
}
