import type { EpochMs } from '../time/epoch-ms.ts';
import type { HubBudget, NoPermit, Permit } from './budget.ts';

interface Waiting {
  readonly now: () => EpochMs;
  readonly wait: (ms: number) => Promise<void>;
}

/**
 * A budget whose permits wait until the pause of a hub is over, if that is soon enough: Berth pauses the calls to a hub for some seconds
 * after an answer of 429. For the work queue, which would else do nothing more for this hub until the next run, a minute later.
 */
export function outlastPauses(budget: HubBudget, { now, wait }: Waiting): HubBudget {
  const outlast = async (
    until: EpochMs,
    ask: () => Promise<Permit | NoPermit>,
  ): Promise<Permit | NoPermit> => {
    for (;;) {
      const permit = await ask();
      const end = permit.kind === 'noPermit' ? permit.pausedUntil : undefined;
      if (end === undefined || end >= until) return permit;
      await wait(end - now());
    }
  };
  return {
    permit: (hub, operation, until) => outlast(until, () => budget.permit(hub, operation, until)),
    permitApply: (hub, identityOperations, until) =>
      outlast(until, () => budget.permitApply(hub, identityOperations, until)),
  };
}
