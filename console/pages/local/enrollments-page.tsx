import { useControl } from '../../api/berth.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty, Loading, PageHead, Section } from '../../parts/section.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { Ago } from '../../parts/time.tsx';
import { deviceHref } from '../../shell/route.ts';
import { countText, hubName } from '../../words/format.ts';
import { type Enrollment, enrollmentsOf, type Registration } from './registrations.ts';

/** Local only: the enrollments through which devices registered, and their registrations. */
export function EnrollmentsPage() {
  const { body, problem } = useControl<readonly Registration[]>('registrations');
  return (
    <>
      <PageHead
        title="Enrollments"
        lead="What the local DPS knows: the enrollments that devices used, and each registration. Keys are never shown."
      />
      {body === undefined ? (
        problem === undefined ? <Loading what="the registrations" /> : <Empty title={problem.message} />
      ) : body.length === 0 ? (
        <Empty title="No device has registered yet.">
          Simulated devices register seconds after <code>npm start</code>. Register one of your own:{' '}
          <code>npm run device -- my-device</code>
        </Empty>
      ) : (
        <>
          <Section title="Enrollments" flush>
            <DataTable label="Enrollments" rows={enrollmentsOf(body)} columns={ENROLLMENTS} keyOf={({ id }) => id} />
          </Section>
          <Section title="Registrations" flush>
            <DataTable
              label="Registrations"
              rows={body}
              columns={REGISTRATIONS}
              keyOf={({ registrationId }) => registrationId}
            />
          </Section>
        </>
      )}
    </>
  );
}

const ENROLLMENTS: readonly Column<Enrollment>[] = [
  { title: 'Enrollment', cell: ({ id }) => <b>{id}</b> },
  { title: 'Proof', explain: 'How its devices prove who they are.', cell: ({ attestation }) => attestation },
  {
    title: 'Registrations',
    explain: 'Devices that have registered through it.',
    isNumber: true,
    cell: ({ registrations }) => countText(registrations),
  },
  {
    title: 'Assigned',
    explain: 'Registrations that got a hub.',
    isNumber: true,
    cell: ({ assigned }) => countText(assigned),
  },
  { title: 'Last', explain: 'The newest registration.', isWide: true, cell: ({ lastAt }) => <Ago at={lastAt} /> },
];

const REGISTRATIONS: readonly Column<Registration>[] = [
  {
    title: 'Registration',
    cell: ({ registrationId, assignment }) => (
      <a data-row-link href={deviceHref(assignment?.deviceId ?? registrationId)}>
        {registrationId}
      </a>
    ),
  },
  { title: 'Enrollment', cell: ({ enrollmentId }) => enrollmentId },
  {
    title: 'Status',
    explain: 'What DPS answered last.',
    cell: ({ status, errorMessage }) => (
      <div class="stacked">
        <Badge tone={status === 'assigned' ? 'good' : status === 'failed' ? 'bad' : 'idle'}>{status}</Badge>
        {errorMessage !== undefined && <span class="muted">{errorMessage}</span>}
      </div>
    ),
  },
  { title: 'Hub', cell: ({ assignment }) => (assignment === undefined ? '–' : hubName(assignment.host)) },
  { title: 'Last', isWide: true, cell: ({ lastUpdatedDateTimeUtc }) => <Ago at={lastUpdatedDateTimeUtc} /> },
];
