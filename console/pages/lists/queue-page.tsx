import { useList } from '../../api/berth.ts';
import type { QueuePage as Queue } from '../../api/contract.ts';
import { AnsweredTable } from '../../parts/answered.tsx';
import type { TableColumn } from '../../parts/data-table.tsx';
import { routeWith, usePages } from '../../parts/paged.ts';
import { Pager } from '../../parts/pager.tsx';
import { Empty, PageHead, Section } from '../../parts/section.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { Term } from '../../parts/term.tsx';
import { Ago, At } from '../../parts/time.tsx';
import { TWIN_COLUMNS, twinRowKey } from '../../parts/twin-columns.tsx';

type Item = Queue['items'][number];

/** The work queue: which twins Berth reconciles again, when and why. */
export function WorkQueuePage() {
  const pages = usePages('');
  const answer = useList<Queue>(routeWith('queue', { after: pages.after }));
  return (
    <>
      <PageHead title="Queue" lead="Twins that Berth reconciles again, the most urgent first." />
      <Section title="Work items" flush>
        <AnsweredTable
          answer={answer}
          what="the queue"
          rowsOf={({ items }) => items}
          empty={
            <Empty title="Nothing waits.">
              Berth works on events at once. Twins appear here if a correction waits for an answer, a time, a
              budget or a pause.
            </Empty>
          }
          label="Work items"
          columns={COLUMNS}
          keyOf={twinRowKey}
        />
        <Pager pages={pages} next={answer.body?.next} />
      </Section>
    </>
  );
}

const PRIORITIES: Readonly<Record<Item['priority'], string>> = {
  edit: 'Another writer changed the twin. Worked on first.',
  drift: 'The device or a policy changed what is wanted.',
  resync: 'The twin is read or reconciled again after a resync, an audit or a new fleet file.',
  activity: 'Berth asks the hub whether the device is alive.',
};

const COLUMNS: readonly TableColumn<Item>[] = [
  ...TWIN_COLUMNS,
  {
    title: 'Priority',
    explain: 'The order of work: edit, drift, resync, activity.',
    cell: ({ priority }) => (
      <Term plain explain={PRIORITIES[priority]}>
        {priority}
      </Term>
    ),
  },
  {
    title: 'When',
    explain: 'When Berth may work on it. Work that is due is done at the next run, within a minute.',
    cell: ({ at, due }) => (
      <div class="badges">
        {due && <Badge tone="info">due</Badge>}
        <Ago at={at} />
        <span class="muted">
          <At at={at} />
        </span>
      </div>
    ),
  },
  { title: 'Why', isWide: true, cell: ({ why }) => why },
];
