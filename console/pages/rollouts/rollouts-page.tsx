import { useApi } from '../../api/berth.ts';
import type { FleetStatus } from '../../api/contract.ts';
import { Answered } from '../../parts/answered.tsx';
import { Empty, PageHead } from '../../parts/section.tsx';
import { countedText } from '../../words/format.ts';
import { needsPerson } from '../../words/rollouts.ts';
import { RolloutSection } from './rollout-section.tsx';

/** The rollouts in stages: how far each has come, what its gate waits for, and what can be done. */
export function RolloutsPage() {
  return (
    <Answered answer={useApi<FleetStatus>('fleet')} what="the rollouts">
      {(fleet) => <Rollouts fleet={fleet} />}
    </Answered>
  );
}

function Rollouts({ fleet }: { readonly fleet: FleetStatus }) {
  return (
    <>
      <PageHead title="Rollouts" lead={lead(fleet)} />
      {fleet.rollouts.length === 0 ? (
        <Empty title="The fleet file has no rollout in stages.">
          Without one, a new content of a policy reaches all devices at once. Write{' '}
          <code>rollout.stages</code> in a policy, or in twins for all policies. See docs/fleet-file.md.
        </Empty>
      ) : (
        fleet.rollouts.map((rollout) => <RolloutSection key={rollout.policy} rollout={rollout} />)
      )}
    </>
  );
}

function lead({ rollouts }: FleetStatus): string {
  const open = rollouts.filter(({ status }) => status !== 'complete' && status !== 'rolled back');
  const needy = rollouts.filter(needsPerson);
  const all = countedText(rollouts.length, 'rollout');
  if (rollouts.length === 0) return 'How a new content of a policy reaches the devices, stage by stage.';
  if (needy.length > 0) return `${all}; ${needy.length} ${needy.length === 1 ? 'waits' : 'wait'} for you.`;
  return open.length === 0
    ? `${all}, and none is under way.`
    : `${all}, of which ${open.length} ${open.length === 1 ? 'is' : 'are'} under way.`;
}
