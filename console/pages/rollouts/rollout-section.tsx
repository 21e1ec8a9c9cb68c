import { listHref } from '../../address/route.ts';
import type { StagedRollout } from '../../api/contract.ts';
import { ChangeButton } from '../../commands/change-layer.tsx';
import { rolloutChanges } from '../../commands/rollout-changes.ts';
import { Section } from '../../parts/section.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { Ago } from '../../parts/time.tsx';
import { countedText } from '../../words/format.ts';
import { gateRules, ROLLOUT_WORDS, rolloutTotals, rolloutWaits } from '../../words/rollouts.ts';
import { StageTable } from './stage-table.tsx';

/** One rollout: its status and what it waits for, its stages, its gate, who approved, and the changes that can be made. */
export function RolloutSection({ rollout }: { readonly rollout: StagedRollout }) {
  const { policy, status, approvals, approvers } = rollout;
  const { tone, meaning } = ROLLOUT_WORDS[status];
  const { all, reached, inSync } = rolloutTotals(rollout);
  const waits = rolloutWaits(rollout);
  return (
    <Section
      title={policy}
      note={
        <>
          <Badge tone={tone} explain={meaning}>
            {status}
          </Badge>{' '}
          <Since rollout={rollout} />
          It has reached {countedText(reached, 'device')} of {all}; {inSync} {inSync === 1 ? 'is' : 'are'} in
          sync. <a href={listHref('devices', { policy })}>Show its twins</a>
        </>
      }
      aside={<RolloutActions rollout={rollout} />}
      flush
    >
      {waits !== '' && <p class="section-lead">{waits}</p>}
      <StageTable rollout={rollout} />
      <div class="section-foot">
        {approvals.map(({ stage, author, at, reason }) => (
          <p key={`${stage} ${at}`}>
            Stage {stage} was approved <Ago at={at} /> by {author}: {reason}
          </p>
        ))}
        <details class="details">
          <summary>The gate of {policy}</summary>
          <ul class="sentences">
            {gateRules(rollout).map((rule) => (
              <li key={rule}>{rule}</li>
            ))}
            {approvers.length > 0 && (
              <li>Only {approvers.join(', ')} may approve, and not the author of the package.</li>
            )}
          </ul>
        </details>
      </div>
    </Section>
  );
}

function Since({ rollout: { stage, status } }: { readonly rollout: StagedRollout }) {
  if (stage === null || status === 'rolled back' || status === 'aborted') return null;
  return (
    <>
      Stage {stage.name} began <Ago at={stage.since} />.{' '}
    </>
  );
}

function RolloutActions({ rollout }: { readonly rollout: StagedRollout }) {
  const { policy, approvable } = rollout;
  const choices = rolloutChanges(rollout);
  return (
    <div class="row-actions">
      {approvable !== null && (
        <ChangeButton
          choices={[{ kind: 'approve', policy, stage: approvable }]}
          label={`Approve stage ${approvable} of ${policy}`}
          isPrimary={rollout.waitsFor !== null}
        >
          Approve stage {approvable} …
        </ChangeButton>
      )}
      {choices.length > 0 && (
        <ChangeButton choices={choices} label={`Change the rollout of ${policy}`}>
          Change …
        </ChangeButton>
      )}
    </div>
  );
}
