import { listHref } from '../address/route.ts';
import { useApi } from '../api/berth.ts';
import type { FleetStatus, PolicyStatusRow } from '../api/contract.ts';
import { ChangeButton } from '../commands/change-layer.tsx';
import { Answered } from '../parts/answered.tsx';
import { DataTable, type TableColumn } from '../parts/data-table.tsx';
import { Meter } from '../parts/meter.tsx';
import { Empty, PageHead, Section } from '../parts/section.tsx';
import { Badge } from '../parts/status-badge.tsx';
import { Term } from '../parts/term.tsx';
import { Ago } from '../parts/time.tsx';
import { countText, revisionText, shareText } from '../words/format.ts';
import { lastChange } from '../words/last-change.ts';

/** The policies of the fleet file: how far each has come, and what the twins say. */
export function PoliciesPage() {
  return (
    <Answered answer={useApi<FleetStatus>('fleet')} what="the policies">
      {(fleet) => <Policies fleet={fleet} />}
    </Answered>
  );
}

function Policies({ fleet }: { readonly fleet: FleetStatus }) {
  const change = lastChange(fleet);
  return (
    <>
      <PageHead
        title="Policies and rollouts"
        lead={
          <>
            Fleet revision <code>{revisionText(fleet.revision)}</code>. If several policies set a property,
            the first one that applies to the twin owns it.
          </>
        }
      />
      {change !== undefined && (
        <Section title="Last change">
          <p>
            <b>
              {change.what}, <Ago at={change.at} />.
            </b>{' '}
            {change.effect.join(' ')}{' '}
            {change.policy !== undefined && (
              <a href={listHref('devices', { policy: change.policy })}>Show its twins</a>
            )}
          </p>
        </Section>
      )}
      <Section title="Policies" flush>
        {fleet.policies.length === 0 ? (
          <Empty title="The fleet file has no policies.">
            Add one to twins.policies in fleet.json. See docs/fleet-file.md.
          </Empty>
        ) : (
          <DataTable label="Policies" rows={fleet.policies} columns={COLUMNS} keyOf={({ id }) => id} />
        )}
      </Section>
    </>
  );
}

const MODES: Readonly<Record<PolicyStatusRow['mode'], string>> = {
  enforce: 'Berth corrects every difference.',
  adopt: 'The device decides: Berth writes what it reports.',
  seed: 'Berth sets a property once, if it is absent.',
  observe: 'Berth only shows differences, and writes nothing.',
};

const COLUMNS: readonly TableColumn<PolicyStatusRow>[] = [
  {
    title: 'Policy',
    cell: ({ name, mode }) => (
      <div class="stacked">
        <a data-row-link href={listHref('devices', { policy: name })}>
          {name}
        </a>
        <Term explain={MODES[mode]}>{mode}</Term>
      </div>
    ),
  },
  {
    title: 'Content since',
    explain: 'When Berth first saw this content of the policy.',
    cell: ({ since }) => <Ago at={since} />,
  },
  {
    title: 'Rollout',
    explain:
      'The part of the fleet that this content may have reached. Without twins.rollout it is 100 % at once.',
    cell: ({ name, rollout, stage, pause }) => (
      <div class="stacked">
        <Meter label={`Rollout of ${name}`} part={rollout} text={shareText(rollout)} isGoal />
        {stage !== undefined && <a href="#/rollouts">stage {stage}</a>}
        {pause !== null && (
          <Badge tone="warn" explain={`By ${pause.author}: ${pause.reason}`}>
            paused
          </Badge>
        )}
      </div>
    ),
  },
  {
    title: 'Twins',
    explain: 'Twins in which it owns a property and may write.',
    isNumber: true,
    cell: ({ reached }) => countText(reached),
  },
  {
    title: 'In sync',
    explain: 'The device reports its value.',
    isNumber: true,
    cell: ({ inSync }) => countText(inSync),
  },
  {
    title: 'Pending',
    explain: 'Its value is written, and the device has not reported it yet.',
    isNumber: true,
    cell: ({ name, pending }) => count(name, pending),
  },
  {
    title: 'Drifted',
    explain: 'Its value is not in the desired properties.',
    isNumber: true,
    cell: ({ name, drifted }) => count(name, drifted),
  },
  {
    title: 'Held',
    explain: 'A pause, a rollout or the mode observe holds its corrections.',
    isNumber: true,
    cell: ({ name, held }) => count(name, held),
  },
  {
    title: 'Rejected',
    explain: 'The device refused its value, or did not answer.',
    isNumber: true,
    cell: ({ name, rejected }) => count(name, rejected),
  },
  {
    title: 'Contested',
    explain: 'Another writer keeps changing its property.',
    isNumber: true,
    cell: ({ name, contested }) => count(name, contested),
  },
  {
    title: 'Actions',
    hideTitle: true,
    cell: ({ name, pause }) => (
      <div class="row-actions">
        {pause === null ? (
          <ChangeButton
            choices={[{ kind: 'pause', scope: { kind: 'policy', name } }]}
            label={`Pause the policy ${name}`}
          >
            Pause …
          </ChangeButton>
        ) : (
          <ChangeButton
            choices={[{ kind: 'resume', scope: { kind: 'policy', name } }]}
            label={`Resume the policy ${name}`}
          >
            Resume …
          </ChangeButton>
        )}
      </div>
    ),
  },
];

function count(policy: string, value: number) {
  return value === 0 ? (
    <span class="muted">0</span>
  ) : (
    <a href={listHref('devices', { policy })}>{countText(value)}</a>
  );
}
