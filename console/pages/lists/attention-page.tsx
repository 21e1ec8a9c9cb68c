import { listHref } from '../../address/route.ts';
import { useApi, useList } from '../../api/berth.ts';
import type { AttentionPage, FleetStatus } from '../../api/contract.ts';
import { AnsweredTable } from '../../parts/answered.tsx';
import type { TableColumn } from '../../parts/data-table.tsx';
import { SelectFilter } from '../../parts/filters.tsx';
import { routeWith, usePages } from '../../parts/paged.ts';
import { Pager } from '../../parts/pager.tsx';
import { Empty, PageHead, Section } from '../../parts/section.tsx';
import { StatusBadge } from '../../parts/status-badge.tsx';
import { Ago } from '../../parts/time.tsx';
import { TWIN_COLUMNS, twinRowKey } from '../../parts/twin-columns.tsx';
import { hubName } from '../../words/format.ts';
import { reasonText, statusWords } from '../../words/statuses.ts';

type Item = AttentionPage['items'][number];

/** The twins that Berth cannot bring in sync without a person, each with the reason and what to do. */
export function AttentionListPage({ filter }: { readonly filter: Readonly<Record<string, string>> }) {
  const { hub = '' } = filter;
  const pages = usePages(hub);
  const answer = useList<AttentionPage>(routeWith('attention', { hub, after: pages.after }));
  const { body: fleet } = useApi<FleetStatus>('fleet');
  return (
    <>
      <PageHead title="Attention" lead="Twins that Berth cannot bring in sync without a person." />
      <div class="filters">
        <SelectFilter
          label="Hub"
          any="all hubs"
          value={hub}
          choices={(fleet?.hubs ?? []).map(({ host }) => ({ value: host, label: hubName(host) }))}
          onChange={(value) => location.replace(listHref('attention', { hub: value }))}
        />
      </div>
      <Section title="Twins" flush>
        <AnsweredTable
          answer={answer}
          what="the list"
          rowsOf={({ items }) => items}
          empty={
            <Empty title="No twin needs you.">
              Berth corrects what drifts. Twins appear here if they are rejected, contested, suspended,
              unknown, or drifted without being held.
            </Empty>
          }
          label="Twins that need a person"
          columns={COLUMNS}
          keyOf={twinRowKey}
        />
        <Pager pages={pages} next={answer.body?.next} />
      </Section>
    </>
  );
}

const COLUMNS: readonly TableColumn<Item>[] = [
  ...TWIN_COLUMNS,
  { title: 'Status', explain: 'How the twin stands.', cell: ({ status }) => <StatusBadge status={status} /> },
  { title: 'Since', explain: 'When the twin got this status.', cell: ({ since }) => <Ago at={since} /> },
  {
    title: 'Why, and what to do',
    isWide: true,
    cell: ({ why, status }) => (
      <div class="stacked">
        <span>{reasonText(why)}</span>
        <span class="muted">{statusWords(status).action}</span>
      </div>
    ),
  },
];
