import type { EdgeDeploymentRow, EdgeOfFleet } from '../../api/contract.ts';
import { DataTable, type TableColumn } from '../../parts/data-table.tsx';
import { Meter } from '../../parts/meter.tsx';
import { Empty, Section } from '../../parts/section.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { Ago } from '../../parts/time.tsx';
import { EDGE_COLUMNS, EDGE_WORDS, edgeHeadline } from '../../words/edge.ts';
import { countText, shareText } from '../../words/format.ts';

/** The deployments of IoT Edge: how far each has come, and how its devices stand. */
export function EdgeDeployments({ edge }: { readonly edge: EdgeOfFleet }) {
  return (
    <Section title="IoT Edge" note={edgeHeadline(edge.devices)} flush>
      {edge.deployments.length === 0 ? (
        <Empty title="The fleet file has no deployments.">
          Add one to edge.deployments in fleet.json. See docs/fleet-file.md.
        </Empty>
      ) : (
        <DataTable
          label="Deployments of IoT Edge"
          rows={edge.deployments}
          keyOf={({ id }) => id}
          columns={COLUMNS}
        />
      )}
    </Section>
  );
}

const COLUMNS: readonly TableColumn<EdgeDeploymentRow>[] = [
  {
    title: 'Deployment',
    cell: ({ name, since }) => (
      <div class="stacked">
        <b>{name}</b>
        <span class="muted">
          since <Ago at={since} />
        </span>
      </div>
    ),
  },
  {
    title: 'Rollout',
    explain: 'The part of the devices that this content may have reached.',
    cell: ({ name, rollout, stage, pause }) => (
      <div class="stacked">
        <Meter label={`Rollout of ${name}`} part={rollout} text={shareText(rollout)} isGoal />
        {stage !== null && <a href="#/rollouts">stage {stage}</a>}
        {pause !== null && (
          <Badge tone="warn" explain={`By ${pause.author}: ${pause.reason}`}>
            paused
          </Badge>
        )}
      </div>
    ),
  },
  ...EDGE_COLUMNS.map((status): TableColumn<EdgeDeploymentRow> => {
    const { label, meaning, tone } = EDGE_WORDS[status];
    return {
      title: label.charAt(0).toUpperCase() + label.slice(1),
      explain: meaning,
      isNumber: true,
      cell: ({ devices }) => {
        const count = devices[status] ?? 0;
        if (count === 0) return <span class="muted">0</span>;
        return <span class={tone === 'bad' ? 'tone-text-warn' : ''}>{countText(count)}</span>;
      },
    };
  }),
];
