import type { ErrorDetail } from '../../errors.ts';
import { hostName, shownHub } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject } from '../../json/json.ts';
import type { FleetFile } from '../schema.ts';
import { pathText } from './problems.ts';

/** What is valid and will still surprise: an operator is told at load. */
export function fleetWarnings(file: FleetFile): readonly ErrorDetail[] {
  return [...unknownHubs(file), ...strayMarkers(file), ...namesNeverSeen(file)];
}

/** Rules may outlive a hub, or be written before it; until then they name nobody. */
function unknownHubs({ hubs, allocation }: FleetFile): readonly ErrorDetail[] {
  const known = new Set(hubs.map(({ host }) => hostName(host)));
  return allocation.rules.flatMap(({ hub, prefer = {} }, index) => {
    const path = ['allocation', 'rules', index];
    const named = hub === undefined || known.has(hostName(hub)) ? [] : [hub];
    const preferred = Object.keys(prefer).filter((host) => !known.has(hostName(host)));
    return [
      ...named.map((host) => ({
        path: pathText([...path, 'hub']),
        message: `names ${shownHub(host)}, which is not among hubs: devices that match cannot be placed`,
      })),
      ...preferred.map((host) => ({
        path: pathText([...path, 'prefer']),
        message: `names ${shownHub(host)}, which is not among hubs: it prefers nobody`,
      })),
    ];
  });
}

/** A device or service name of a hub in a condition. */
const OTHER_NAME = /[a-z0-9-]+\.(?:device|service)\.azure-devices\.(?:net|cn|us)/i;

/** Expressions see hubs by their identity, so a comparison with another name never holds. */
function namesNeverSeen({ allocation, twins }: FleetFile): readonly ErrorDetail[] {
  const conditions = [
    ...allocation.rules.map(({ when }, index) => ({ when, path: ['allocation', 'rules', index, 'when'] })),
    ...twins.initial.map(({ when }, index) => ({ when, path: ['twins', 'initial', index, 'when'] })),
    ...twins.policies.map(({ when }, index) => ({ when, path: ['twins', 'policies', index, 'when'] })),
    { when: twins.scope, path: ['twins', 'scope'] },
  ];
  return conditions.flatMap(({ when, path }) => {
    const [name] = OTHER_NAME.exec(when ?? '') ?? [];
    if (name === undefined) return [];
    return [
      {
        path: pathText(path),
        message: `compares with "${name}", which no hub is called here: expressions see the classic name, "${hostName(name)}"`,
      },
    ];
  });
}

/** A `__t` that marks no component: devices would take what is around it for a property of their root. */
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
        ? `is ${JSON.stringify(value)}, which marks no component: write "c"`
        : 'marks no component: components lie at the top of desired, as in {"thermostat1": {"__t": "c"}}';
    return [{ path: pathText(here), message }];
  });
}
