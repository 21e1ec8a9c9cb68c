import type { ErrorDetail } from '../errors.ts';
import { hostName } from './host-name.ts';
import { pathText } from './problems.ts';
import type { FleetFile } from './schema.ts';

/** What is valid and will still surprise: an operator is told at load. */
export function fleetWarnings(file: FleetFile): readonly ErrorDetail[] {
  return unknownHubs(file);
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
        message: `names "${host}", which is not among hubs: devices that match cannot be placed`,
      })),
      ...preferred.map((host) => ({
        path: pathText([...path, 'prefer']),
        message: `names "${host}", which is not among hubs: it prefers nobody`,
      })),
    ];
  });
}
