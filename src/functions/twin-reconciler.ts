import type { InvocationContext } from '@azure/functions';
import type { ErrorCode } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HubBudget } from '../hub/budget.ts';
import { redactHubs } from '../hub/redacted-hubs.ts';
import type { Instance } from '../instance/instance.ts';
import type { JsonValue } from '../json/json.ts';
import { Reconciler, type ReconcilerOptions } from '../sync/reconcile/reconciler.ts';

export interface InvocationOptions {
  readonly fleet: Fleet;
  readonly budget: HubBudget;
  /** When it stops asking hubs, ms since the epoch. */
  readonly until: number;
}

/** What the reconciler of one invocation works with: the control row as it stands, and its part of the budgets. */
export async function reconcilerOptions(
  instance: Instance,
  context: InvocationContext,
  { fleet, budget, until }: InvocationOptions,
): Promise<ReconcilerOptions> {
  const { now, stores, counters } = instance;
  const redaction = await instance.redaction(fleet);
  return {
    fleet,
    hubs: redactHubs(instance.hubs, redaction),
    store: stores.twins,
    gate: instance.gate,
    redaction,
    budget,
    now,
    hubNow: instance.hubClock.now,
    until,
    count: (host, what) => counters.add(host, what),
    warn: oncePerHub((message, facts) =>
      context.warn(JSON.stringify({ event: 'hubTrouble', message, ...facts })),
    ),
  };
}

/** What is wrong with this twin and says nothing of others. */
const OF_ONE_TWIN: ReadonlySet<JsonValue | undefined> = new Set<ErrorCode>([
  'BERTH_HUB_REFUSED',
  'BERTH_SHADOW_MISMATCH',
]);

/** The trouble of a whole hub is told with the first twin that meets it, and not with every one. */
function oncePerHub(warn: ReconcilerOptions['warn']): ReconcilerOptions['warn'] {
  const told = new Set<string>();
  return (message, facts) => {
    const { code, hub, deviceId } = facts;
    if (deviceId !== undefined && !OF_ONE_TWIN.has(code)) {
      const trouble = `${code} ${hub}`;
      if (told.has(trouble)) return;
      told.add(trouble);
    }
    warn(message, facts);
  };
}

export async function reconcilerFor(
  instance: Instance,
  context: InvocationContext,
  options: InvocationOptions,
): Promise<Reconciler> {
  return new Reconciler(await reconcilerOptions(instance, context, options));
}
