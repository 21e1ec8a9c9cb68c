import { REACHED } from '../../src/rollout/content-choice.ts';
import type { Gate } from '../../src/sync/reconcile/write-gate.ts';
import { EPOCH } from '../../src/time/epoch-ms.ts';

/** A gate that allows every write. */
export const OPEN_GATE: Gate = {
  closedFor: () => undefined,
  holdOf: () => undefined,
  contentOf: () => REACHED,
  drainOf: () => undefined,
  contentsToRead: () => [],
  settingsInForce: () => [],
  readsFirst: () => false,
  lacks: () => false,
  modules: new Set(),
  isOutdated: false,
  generation: { number: 0, since: EPOCH },
};
