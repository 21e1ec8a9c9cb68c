import { useState } from 'preact/hooks';
import { useBerth } from '../../api/berth.ts';
import type { OwnedProperty, TwinOfDevice } from '../../api/contract.ts';
import { DataTable, type TableColumn } from '../../parts/data-table.tsx';
import { StatusBadge } from '../../parts/status-badge.tsx';
import { Term } from '../../parts/term.tsx';
import { At } from '../../parts/time.tsx';
import { Value } from '../../parts/value.tsx';
import { reportedWords } from '../../words/reported.ts';
import { EditDialog } from './edit-dialog.tsx';

/** The properties that policies own: what is desired, wanted and reported, and what happens next. */
export function PropertyTable({
  deviceId,
  twin,
}: {
  readonly deviceId: string;
  readonly twin: TwinOfDevice;
}) {
  const { environment } = useBerth();
  const [edited, setEdited] = useState<OwnedProperty | undefined>(undefined);
  const edit: readonly TableColumn<OwnedProperty>[] =
    environment.kind === 'local'
      ? [
          {
            title: 'Edit',
            hideTitle: true,
            cell: (property) => (
              <button
                type="button"
                class="button small"
                aria-label={`Try an edit of ${property.path} as the portal does`}
                onClick={() => setEdited(property)}
              >
                Try an edit …
              </button>
            ),
          },
        ]
      : [];
  return (
    <>
      <DataTable
        label="Owned properties"
        rows={twin.paths}
        keyOf={({ path }) => path}
        columns={[...COLUMNS, ...edit]}
      />
      {edited !== undefined && (
        <EditDialog deviceId={deviceId} twin={twin} property={edited} onClose={() => setEdited(undefined)} />
      )}
    </>
  );
}

const MODES: Readonly<Record<OwnedProperty['mode'], string>> = {
  enforce: 'Berth corrects every difference.',
  adopt: 'The device decides: Berth writes what it reports.',
  seed: 'Berth sets it once, if it is absent.',
  observe: 'Berth only shows differences, and writes nothing.',
};

const COLUMNS: readonly TableColumn<OwnedProperty>[] = [
  {
    title: 'Property',
    explain: 'A desired property that a policy owns, and the policy.',
    cell: ({ path, policy, mode }) => (
      <div class="stacked">
        <code class="path">{path}</code>
        <span class="muted">
          {policy}, <Term explain={MODES[mode]}>{mode}</Term>
        </span>
      </div>
    ),
  },
  {
    title: 'Wanted',
    explain: 'What the policy of the fleet file wants.',
    cell: ({ wanted }) => (wanted === null ? <span class="muted">absent</span> : <Value value={wanted} />),
  },
  {
    title: 'Desired',
    explain: 'What the twin tells the device now.',
    cell: ({ desired }) => <Value value={desired} />,
  },
  {
    title: 'Reported',
    explain: 'What the device says it does.',
    cell: ({ reported, reportedAt }) => {
      const { value, answer } = reportedWords(reported);
      return (
        <div class="stacked">
          <Value value={value} />
          {answer !== undefined && <span class="muted">{answer}</span>}
          {reportedAt !== null && (
            <span class="muted">
              <At at={reportedAt} />
            </span>
          )}
        </div>
      );
    },
  },
  {
    title: 'Status',
    explain: 'How the property stands.',
    cell: ({ status }) => <StatusBadge status={status} />,
  },
  {
    title: 'Why, and what happens next',
    isWide: true,
    cell: (property) => <Reason property={property} />,
  },
];

function Reason({ property }: { readonly property: OwnedProperty }) {
  const { wanted, why, held, nextAt, contestedUntil, configuration, rejected } = property;
  const isWanted = (value: unknown) => JSON.stringify(value) === JSON.stringify(wanted);
  // The refusal of the wanted value is what `why` says.
  const rejectedBefore = rejected.filter(({ value }) => !isWanted(value));
  return (
    <div class="stacked">
      <span>{why}</span>
      {held !== null && <span class="muted">Held: {held}</span>}
      {contestedUntil !== null && (
        <span class="muted">
          Berth leaves it alone until <At at={contestedUntil} />
        </span>
      )}
      {configuration !== null && <span class="muted">The configuration {configuration} writes it too.</span>}
      {nextAt !== null && contestedUntil === null && (
        <span class="muted">
          Next step at <At at={nextAt} />
        </span>
      )}
      {rejectedBefore.map(({ value, why: reason }) => (
        <span key={JSON.stringify(value)} class="muted">
          Refused before: <Value value={value} /> {reason}
        </span>
      ))}
    </div>
  );
}
