import type { EdgeModuleRow, EdgeOfTwin, TwinOfDevice } from '../../api/contract.ts';
import { DataTable, type TableColumn } from '../../parts/data-table.tsx';
import { Empty, Section } from '../../parts/section.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { Ago, LocalTimes } from '../../parts/time.tsx';
import { edgeWords, imageParts, moduleWords } from '../../words/edge.ts';
import { countText } from '../../words/format.ts';

/** What runs on an IoT Edge device: its deployments, and each module as wanted and as reported. */
export function EdgeSection({ twin, edge }: { readonly twin: TwinOfDevice; readonly edge: EdgeOfTwin }) {
  const { label, meaning, tone } = edgeWords(edge.status);
  return (
    <Section
      title="IoT Edge"
      flush
      note={
        <>
          {edge.why === '' ? meaning : `${edge.why}.`} Next step: <LocalTimes text={twin.next} />.
        </>
      }
      aside={
        <Badge tone={tone} explain={meaning}>
          {label}
        </Badge>
      }
    >
      {edge.modules.length === 0 ? (
        <Empty title="The device has no manifest of Berth.">{edge.why}</Empty>
      ) : (
        <DataTable label="Modules" rows={edge.modules} keyOf={({ name }) => name} columns={COLUMNS} />
      )}
      <ul class="section-foot">
        <li>
          {edge.deployments.length === 0
            ? 'No deployment matches the device.'
            : `Deployments, in their order: ${edge.deployments.join(', ')}.`}
        </li>
        {edge.applied !== null && (
          <li>
            Berth applied the last manifest <Ago at={edge.applied.at} />: {edge.applied.why}.
          </li>
        )}
        {edge.leftovers.length > 0 && <li>The runtime still has to remove {edge.leftovers.join(', ')}.</li>}
        {edge.problems.map(({ code, path, message }) => (
          <li key={`${code} ${path}`}>
            <code>{code}</code> {path} {message}
          </li>
        ))}
      </ul>
    </Section>
  );
}

const COLUMNS: readonly TableColumn<EdgeModuleRow>[] = [
  {
    title: 'Module',
    cell: ({ name }) => <code class="path">{name}</code>,
  },
  {
    title: 'Image',
    explain: 'What the deployment wants. Below it, what the device reports if it differs.',
    isWide: true,
    cell: ({ image, wantedImage }) => (
      <div class="stacked">
        <ImageName image={wantedImage} />
        {image === null && <span class="muted">not reported yet</span>}
        {image !== null && image !== wantedImage && (
          <span>
            reported: <ImageName image={image} />
          </span>
        )}
      </div>
    ),
  },
  {
    title: 'Status',
    explain: 'How the module stands, by the reports of the runtime.',
    cell: ({ status, why }) => {
      const { label, meaning, tone } = moduleWords(status);
      return (
        <div class="stacked">
          <Badge tone={tone} explain={meaning}>
            {label}
          </Badge>
          {why !== '' && <span class="muted">It {why}.</span>}
        </div>
      );
    },
  },
  {
    title: 'Since',
    explain: 'When its container last started, by the clock of the device.',
    cell: ({ startedAt }) => (startedAt === null ? <span class="muted">never</span> : <Ago at={startedAt} />),
  },
  {
    title: 'Restarts',
    explain: 'How often the runtime has started it again. Ten good minutes clear the count.',
    isNumber: true,
    cell: ({ restartCount }) => countText(restartCount),
  },
  {
    title: 'Last exit',
    explain: 'When its container last ended, and with which code.',
    cell: ({ exitedAt, exitCode }) =>
      exitedAt === null ? (
        <span class="muted">none</span>
      ) : (
        <div class="stacked">
          <Ago at={exitedAt} />
          {exitCode !== null && <span class="muted">code {exitCode}</span>}
        </div>
      ),
  },
  {
    title: 'Description',
    explain: 'What the runtime says of its container.',
    cell: ({ description }) =>
      description === '' ? <span class="muted">none</span> : <span>{description}</span>,
  },
];

function ImageName({ image }: { readonly image: string }) {
  const { repository, version } = imageParts(image);
  return (
    <span class="value">
      <span class="muted">{repository}</span> <b>{version}</b>
    </span>
  );
}
