import type { RolloutStage, StagedRollout } from '../../api/contract.ts';
import { DataTable, type TableColumn } from '../../parts/data-table.tsx';
import { Meter } from '../../parts/meter.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { At } from '../../parts/time.tsx';
import { countText, spanText } from '../../words/format.ts';
import { stageHolds } from '../../words/rollouts.ts';

/** The stages of a rollout, as `berth rollouts show` lists them. */
export function StageTable({ rollout }: { readonly rollout: StagedRollout }) {
  return (
    <DataTable
      label={`Stages of ${rollout.policy}`}
      rows={rollout.stages}
      columns={columnsOf(rollout)}
      keyOf={({ name }) => name}
    />
  );
}

function columnsOf({ policy, gate }: StagedRollout): readonly TableColumn<RolloutStage>[] {
  return [
    {
      title: 'Stage',
      explain: 'Each stage has its own devices: those that no earlier stage holds.',
      cell: (stage) => (
        <div class="stacked">
          <b>{stage.name}</b>
          <span class="muted">{stageHolds(stage)}</span>
          {stage.isApproved && <span class="muted">begins after an approval</span>}
        </div>
      ),
    },
    { title: 'State', cell: ({ status }) => <StageBadge status={status} /> },
    {
      title: 'Reached',
      explain: 'Devices that got the content. The others keep the earlier content.',
      isNumber: true,
      cell: ({ reached, waiting }) => `${countText(reached)} of ${countText(reached + waiting)}`,
    },
    {
      title: 'In sync',
      explain: `Of the devices that take part. The gate asks for ${Math.round(gate.inSync * 100)} %.`,
      cell: ({ name, inSync, takePart }) => (
        <Meter
          label={`In sync in stage ${name} of ${policy}`}
          part={takePart === 0 ? 0 : inSync / takePart}
          text={`${countText(inSync)} of ${countText(takePart)}`}
          isGoal
        />
      ),
    },
    {
      title: 'Pending',
      explain: 'They were written and have not answered yet.',
      isNumber: true,
      cell: ({ pending }) => countText(pending),
    },
    {
      title: 'Rejected',
      explain: 'They refused a value or did not answer it. Contested devices are in brackets.',
      isNumber: true,
      cell: ({ rejected, contested }) =>
        contested === 0 ? countText(rejected) : `${countText(rejected)} (${countText(contested)})`,
    },
    {
      title: 'Lost',
      explain: 'They showed life before their first write and none after it. Lost counts as rejected.',
      isNumber: true,
      cell: ({ lost }) => countText(lost),
    },
    {
      title: 'Silent before',
      explain: 'They showed no life in the 24 hours before their first write, so they do not take part.',
      isNumber: true,
      cell: ({ silent }) => countText(silent),
    },
    {
      title: 'Ends at about',
      explain: 'When its least time is over. Gates, approvals and pauses come on top.',
      cell: ({ endsAt, leastMs }) => (
        <div class="stacked">
          <At at={endsAt} />
          <span class="muted nowrap">
            {leastMs === 0 ? 'no least time' : `at least ${spanText(leastMs)}`}
          </span>
        </div>
      ),
    },
  ];
}

const STAGE_WORDS: Readonly<
  Record<RolloutStage['status'], { readonly tone: 'good' | 'info' | 'idle'; readonly meaning: string }>
> = {
  done: { tone: 'good', meaning: 'Its gate has passed.' },
  running: { tone: 'info', meaning: 'Its devices get the content.' },
  later: { tone: 'idle', meaning: 'It has not begun. Its devices keep the earlier content.' },
  ended: { tone: 'idle', meaning: 'The rollout was aborted or rolled back before the stage was done.' },
};

function StageBadge({ status }: Pick<RolloutStage, 'status'>) {
  const { tone, meaning } = STAGE_WORDS[status];
  return (
    <Badge tone={tone} explain={meaning}>
      {status}
    </Badge>
  );
}
