import { isDeepStrictEqual } from 'node:util';
import type { WantedModule } from '../manifest/agent-manifest.ts';

/** What brings the modules of a device to its manifest. */
export interface UpdatePlan {
  readonly remove: readonly string[];
  /** The modules that are pulled and created, in groups: each group starts after the one before. */
  readonly update: readonly (readonly WantedModule[])[];
  /** The modules of which only the wanted status changes. */
  readonly changeStatus: readonly WantedModule[];
}

/**
 * Compares the manifest with the modules on the device. A module is created again if anything but its wanted status differs.
 * Modules start in the order of `startupOrder`, those without one last.
 */
export function planUpdate(
  wanted: readonly WantedModule[],
  present: ReadonlyMap<string, WantedModule>,
): UpdatePlan {
  const names = new Set(wanted.map(({ name }) => name));
  const update = wanted.filter((module) => !isSame(module, present.get(module.name)));
  const orders = [...new Set(update.map(orderOf))].sort((left, right) => left - right);
  return {
    remove: [...present.keys()].filter((name) => !names.has(name)),
    update: orders.map((order) => update.filter((module) => orderOf(module) === order)),
    changeStatus: wanted.filter((module) => {
      const now = present.get(module.name);
      return now !== undefined && now.status !== module.status && isSame(module, now);
    }),
  };
}

function orderOf({ startupOrder }: WantedModule): number {
  return startupOrder ?? Number.POSITIVE_INFINITY;
}

function isSame(module: WantedModule, present: WantedModule | undefined): boolean {
  return present !== undefined && isDeepStrictEqual({ ...present, status: module.status }, module);
}
