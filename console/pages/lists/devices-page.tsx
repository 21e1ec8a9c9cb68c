import { listHref } from '../../address/route.ts';
import { useApi, useList } from '../../api/berth.ts';
import type { DevicePage, FleetStatus } from '../../api/contract.ts';
import { AnsweredTable } from '../../parts/answered.tsx';
import type { TableColumn } from '../../parts/data-table.tsx';
import { SelectFilter, TextFilter } from '../../parts/filters.tsx';
import { routeWith, usePages } from '../../parts/paged.ts';
import { Pager } from '../../parts/pager.tsx';
import { Empty, PageHead, Section } from '../../parts/section.tsx';
import { StatusBadge } from '../../parts/status-badge.tsx';
import { TWIN_COLUMNS, twinRowKey } from '../../parts/twin-columns.tsx';
import { hubName } from '../../words/format.ts';
import { NOT_IN_SYNC, policyStatusWords, STATUS_WORDS, STATUSES } from '../../words/statuses.ts';

type DeviceRow = DevicePage['items'][number];
type Filter = Readonly<Record<string, string>>;

/** All twins that Berth has stored, by hub, status, policy and the beginning of their id. */
export function DevicesPage({ filter }: { readonly filter: Filter }) {
  const { hub = '', status = '', policy = '', prefix = '' } = filter;
  const pages = usePages(JSON.stringify(filter));
  const answer = useList<DevicePage>(
    routeWith('devices', { hub, status, policy, prefix, after: pages.after }),
  );
  const { body: fleet } = useApi<FleetStatus>('fleet');
  const set = (change: Filter) => {
    location.replace(listHref('devices', { hub, status, policy, prefix, ...change }));
  };
  return (
    <>
      <PageHead title="Devices" lead="Every twin that Berth has stored: devices and their modules." />
      <div class="filters">
        <TextFilter
          label="Id begins with"
          value={prefix}
          placeholder="sim-00"
          onChange={(value) => set({ prefix: value })}
        />
        <SelectFilter
          label="Hub"
          any="all hubs"
          value={hub}
          choices={(fleet?.hubs ?? []).map(({ host }) => ({ value: host, label: hubName(host) }))}
          onChange={(value) => set({ hub: value })}
        />
        <SelectFilter
          label="Status"
          any="all statuses"
          value={status}
          choices={STATUS_CHOICES}
          onChange={(value) => set({ status: value })}
        />
        <SelectFilter
          label="Policy"
          any="all policies"
          value={policy}
          choices={(fleet?.policies ?? []).map(({ name }) => ({ value: name, label: name }))}
          onChange={(value) => set({ policy: value })}
        />
      </div>
      <Section title="Twins" flush>
        <AnsweredTable
          answer={answer}
          what="the devices"
          rowsOf={({ items }) => items}
          empty={
            <Empty title="No twin matches.">
              {Object.values(filter).some(Boolean)
                ? 'Remove a filter to see more.'
                : 'Devices appear when they register through DPS or report for the first time.'}
            </Empty>
          }
          label="Twins"
          columns={COLUMNS}
          keyOf={twinRowKey}
        />
        <Pager pages={pages} next={answer.body?.next} />
      </Section>
    </>
  );
}

const STATUS_CHOICES = [
  { value: NOT_IN_SYNC, label: 'not in sync' },
  ...STATUSES.map((each) => ({ value: each, label: STATUS_WORDS[each].label })),
];

const COLUMNS: readonly TableColumn<DeviceRow>[] = [
  ...TWIN_COLUMNS,
  { title: 'Status', explain: 'How the twin stands.', cell: ({ status }) => <StatusBadge status={status} /> },
  {
    title: 'Policies',
    explain: 'How each policy stands in this twin. The worst property that the policy owns counts.',
    isWide: true,
    cell: ({ policies }) => (
      <ul class="inline-list">
        {Object.entries(policies).map(([name, status]) => (
          <li key={name}>
            {name}: <span class="muted">{policyStatusWords(status)}</span>
          </li>
        ))}
      </ul>
    ),
  },
];
