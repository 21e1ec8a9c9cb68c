import type { Entry } from '../hub/device-store.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { Configuration } from '../model/configuration.ts';
import { twinDocument } from '../operations/device-document.ts';
import { isMet } from '../query/evaluate.ts';
import { targetConditionOf } from './configuration-body.ts';

/**
 * The twins that a configuration targets now, in the order of their ids: modules for `moduleContent`, else devices. A
 * manifest targets only IoT Edge devices.
 */
export function targetsOf(hub: LocalHub, { content, targetCondition }: Configuration): readonly Entry[] {
  const condition = targetConditionOf(content, targetCondition);
  if (condition === undefined) return [];
  const entries = condition.from === 'devices' ? hub.store.sorted() : hub.store.sortedModules();
  return [...entries].filter(
    (entry) =>
      (content.kind !== 'edge' || entry.identity.capabilities.iotEdge) &&
      isMet(condition.where, twinDocument(entry, hub.connections.presence(entry.identity))),
  );
}

/** Configurations in the order of their precedence, the highest priority first. Of two equal ones, the newer wins. */
export function byPrecedence(configurations: readonly Configuration[]): readonly Configuration[] {
  return [...configurations].sort(
    (left, right) => right.priority - left.priority || (left.createdTimeUtc < right.createdTimeUtc ? 1 : -1),
  );
}
