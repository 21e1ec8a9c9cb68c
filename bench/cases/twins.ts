import { convergedTwin } from '../converged-twin.ts';
import type { Comparison } from '../measure.ts';

/** Of a hundred reports of a mixed stream, those that need a plan. */
const PLANNED_OF_HUNDRED = 2;

/** What twin sync costs for an event, from its bytes to the snapshot to store, without the tables. */
export function twinCases(): readonly Comparison[] {
  return [6, 50].flatMap((policies) => {
    const converged = convergedTwin(policies);
    const planned = convergedTwin(policies, true);
    const mixed = { converged: convergedTwin(policies), planned: convergedTwin(policies, true), at: 0 };
    const reports = convergedTwin(policies);
    const baseline = () => JSON.parse(reports.nextBody().toString());
    return [
      {
        name: `twin-converged-${policies}`,
        what: `event of a twin in sync, ${policies} policies / its JSON.parse`,
        subject: () => converged.take(),
        baseline,
        goal: policies === 6 ? 4 : 8,
        showsRate: true,
      },
      {
        name: `twin-planned-${policies}`,
        what: `event that needs a plan, ${policies} policies / its JSON.parse`,
        subject: () => planned.take(),
        baseline,
      },
      {
        name: `twin-mixed-${policies}`,
        what: `${PLANNED_OF_HUNDRED} % of the events need a plan, ${policies} policies / JSON.parse`,
        subject: () => {
          mixed.at = (mixed.at + 1) % 100;
          return mixed.at < PLANNED_OF_HUNDRED ? mixed.planned.take() : mixed.converged.take();
        },
        baseline,
      },
    ];
  });
}
