import { isObject, type JsonObject, ownMember } from '../../../src/json/json.ts';

/** A reported document of `$edgeAgent` in one line. @example '200, edgeHub running, sensor backoff after 3 restarts' */
export function reportSummary(document: JsonObject): string {
  const { code, description } = objectAt(document, 'lastDesiredStatus');
  const { edgeAgent: _agent, ...system } = objectAt(document, 'systemModules');
  const modules = Object.entries({ ...system, ...objectAt(document, 'modules') }).map(([name, module]) => {
    const restarts = ownMember(module, 'restartCount');
    const after = restarts ? ` after ${String(restarts)} restarts` : '';
    return `${name} ${String(ownMember(module, 'runtimeStatus'))}${after}`;
  });
  const status = description ? `${String(code)} (${String(description)})` : String(code);
  return [status, ...modules].join(', ');
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = ownMember(object, key);
  return isObject(value) ? value : {};
}
