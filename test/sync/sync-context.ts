import { controlSchema } from '../../src/control/control.ts';
import type { HubBudget } from '../../src/hub/budget.ts';
import { budgetHubs } from '../../src/hub/budgeted-hubs.ts';
import type { HubPort } from '../../src/hub/port.ts';
import { redactHubs } from '../../src/hub/redacted-hubs.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { NO_EVIDENCE_SINK } from '../../src/liveness/evidence-counters.ts';
import { Reconciler } from '../../src/sync/reconcile/reconciler.ts';
import type { SyncContext } from '../../src/sync/reconcile/sync-context.ts';
import type { ResyncContext } from '../../src/sync/resync/resync-context.ts';
import { type EpochMs, epochMs } from '../../src/time/epoch-ms.ts';
import { NO_REDACTION } from '../../src/twin/events/redact.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { ID } from '../twin/twins.ts';

/** A budget that grants every permit at once. */
export const FREE: HubBudget = {
  permit: async () => ({ kind: 'granted' }),
  permitApply: async () => ({ kind: 'granted' }),
};

/** What a test says of its context; the rest stands for a fleet without limits, pauses or redaction. */
export interface ContextParts
  extends Pick<SyncContext, 'fleet' | 'twins' | 'now'>,
    Partial<Omit<SyncContext, 'fleet' | 'twins' | 'now' | 'hubs'>> {
  /** Without permits and redaction, which the context adds. */
  readonly hubs: HubPort;
  readonly budget?: HubBudget;
  readonly until?: EpochMs;
}

export function syncContextOf({
  hubs,
  budget = FREE,
  until = epochMs(Number.POSITIVE_INFINITY),
  redaction = NO_REDACTION,
  ...parts
}: ContextParts): SyncContext {
  const { fleet, now } = parts;
  return {
    hosts: [ID.host],
    hubs: redactHubs(budgetHubs(hubs, { fleet, budget, until, now }), redaction),
    gate: { current: async () => OPEN_GATE },
    redaction,
    hubNow: now,
    count: () => {},
    evidence: NO_EVIDENCE_SINK,
    warn: () => {},
    ...parts,
  };
}

export interface ResyncParts extends ContextParts {
  readonly reconciler?: ResyncContext['reconciler'];
  readonly progress?: ResyncContext['progress'];
  readonly control?: ResyncContext['control'];
  readonly twinCounts?: ResyncContext['twinCounts'];
}

export function resyncContextOf({
  reconciler,
  progress,
  control,
  twinCounts,
  ...parts
}: ResyncParts): ResyncContext {
  const context = syncContextOf(parts);
  return {
    ...context,
    reconciler: reconciler ?? new Reconciler(context),
    twinCounts: twinCounts ?? { count: async () => 16, read: async () => new Map() },
    progress: progress ?? memoryProgress(new Map()),
    control: control ?? {
      read: async () => controlSchema.parse({}),
      update: async (change) => change(controlSchema.parse({})),
    },
  };
}

export function memoryProgress(stored: Map<string, JsonValue>): ResyncContext['progress'] {
  return {
    read: async (name) => stored.get(name),
    write: async (name, value) => void stored.set(name, value),
  };
}
