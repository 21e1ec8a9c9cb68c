import { deviceHref } from '../../address/route.ts';
import { useControl } from '../../api/berth.ts';
import { AnsweredTable } from '../../parts/answered.tsx';
import type { TableColumn } from '../../parts/data-table.tsx';
import { Empty, PageHead, Section } from '../../parts/section.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { Ago } from '../../parts/time.tsx';
import { countText, hubName } from '../../words/format.ts';
import {
  type EnrollmentRow,
  enrollmentRows,
  type ShownEnrollment,
  type ShownRegistration,
} from './registrations.ts';

/** Local only: the enrollments through which devices registered, and their registrations. */
export function EnrollmentsPage() {
  const registrations = useControl<readonly ShownRegistration[]>('registrations');
  const enrollments = useControl<readonly ShownEnrollment[]>('enrollments');
  return (
    <>
      <PageHead
        title="Enrollments"
        lead="What the local DPS knows: its enrollments, and each registration. Keys are never shown."
      />
      <Section
        title="Enrollments"
        note="The command berth enroll changes them by a file: docs/enrollments.md."
        flush
      >
        <AnsweredTable
          answer={enrollments}
          what="the enrollments"
          rowsOf={(all) => enrollmentRows(all, registrations.body ?? [])}
          empty={
            <Empty title="DPS has no enrollment.">
              Create them from enrollments.json: <code>npx --no berth enroll apply</code>
            </Empty>
          }
          label="Enrollments"
          columns={ENROLLMENTS}
          keyOf={({ id }) => id}
        />
      </Section>
      <Section title="Registrations" flush>
        <AnsweredTable
          answer={registrations}
          what="the registrations"
          rowsOf={(all) => all}
          empty={
            <Empty title="No device has registered yet.">
              Simulated devices register seconds after <code>npm start</code>. Register one of your own:{' '}
              <code>npm run device -- my-device</code>
            </Empty>
          }
          label="Registrations"
          columns={REGISTRATIONS}
          keyOf={({ registrationId }) => registrationId}
        />
      </Section>
    </>
  );
}

const ENROLLMENTS: readonly TableColumn<EnrollmentRow>[] = [
  {
    title: 'Enrollment',
    cell: ({ id, kind, status }) => (
      <div class="stacked">
        <b>{id}</b>
        <span class="muted">
          {kind}
          {status === 'enabled' ? '' : `, ${status}`}
        </span>
      </div>
    ),
  },
  { title: 'Proof', explain: 'How its devices prove who they are.', cell: ({ attestation }) => attestation },
  {
    title: 'Allocation',
    explain: 'Who chooses the hub. Custom: DPS calls the webhook of Berth. Its key is masked.',
    isWide: true,
    cell: ({ allocation, webhook }) => (
      <div class="stacked">
        <span>{allocation}</span>
        {webhook !== undefined && <code class="muted">{webhook}</code>}
      </div>
    ),
  },
  {
    title: 'Reprovisioning',
    explain: 'What DPS does when a device registers again and gets another hub.',
    cell: ({ reprovisioning }) => reprovisioning,
  },
  {
    title: 'Registrations',
    explain: 'Devices that have registered through it, and how many of them got a hub.',
    isNumber: true,
    cell: ({ registrations, assigned }) => (
      <div class="stacked">
        <span>{countText(registrations)}</span>
        <span class="muted">{countText(assigned)} assigned</span>
      </div>
    ),
  },
  { title: 'Last', explain: 'The newest registration.', cell: ({ lastAt }) => <Ago at={lastAt} /> },
];

const REGISTRATIONS: readonly TableColumn<ShownRegistration>[] = [
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
