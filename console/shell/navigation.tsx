import { useState } from 'preact/hooks';
import { deviceHref, type Route } from '../address/route.ts';
import { useApi, useBerth, useConnection } from '../api/berth.ts';
import type { FleetStatus } from '../api/contract.ts';
import { Icon, type IconName } from '../parts/icons.tsx';
import { ThemeButton } from '../parts/theme.tsx';
import { countText } from '../words/format.ts';
import { needsPerson } from '../words/rollouts.ts';
import { ConnectionLight, LockButton } from './connection.tsx';

interface Entry {
  readonly page: Route['page'];
  readonly href: string;
  readonly label: string;
  readonly icon: IconName;
  readonly count?: string | undefined;
}

/** The pages, the search for a device, and the state of the connection. */
export function Navigation({
  route,
  onHelp,
  onSkip,
}: {
  readonly route: Route;
  onHelp(): void;
  /** Gives the focus to the page. */
  onSkip(): void;
}) {
  const { environment } = useBerth();
  const [isOpen, setIsOpen] = useState(false);
  return (
    <header class="shell-head">
      <button type="button" class="skip" onClick={onSkip}>
        Skip to the page
      </button>
      <div class="brand-row">
        <a class="brand" href="#/fleet">
          <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <rect class="brand-ground" width="32" height="32" rx="7" />
            <path class="brand-lines" d="M16 6.5v17M10.5 12h11M7 18.5c.8 4.6 4.3 7 9 7s8.2-2.4 9-7" />
          </svg>
          Berth
        </a>
        <span class="badge tone-idle">{environment.kind === 'local' ? 'local' : 'Azure'}</span>
        <ConnectionLight />
        <button
          type="button"
          class="icon-button menu-button"
          aria-expanded={isOpen}
          aria-controls="navigation"
          aria-label="Menu"
          onClick={() => setIsOpen(!isOpen)}
        >
          <Icon name="menu" />
        </button>
      </div>
      <div id="navigation" class={isOpen ? 'navigation open' : 'navigation'}>
        <DeviceSearch onDone={() => setIsOpen(false)} />
        <nav aria-label="Pages">
          <Entries route={route} onChosen={() => setIsOpen(false)} />
        </nav>
        <div class="shell-foot">
          <ThemeButton />
          <button
            type="button"
            class="icon-button"
            aria-label="Help: keyboard and words"
            title="Help (?)"
            onClick={onHelp}
          >
            <Icon name="question" />
          </button>
          <LockButton />
        </div>
      </div>
    </header>
  );
}

function Entries({ route, onChosen }: { readonly route: Route; onChosen(): void }) {
  const { environment } = useBerth();
  const { body: fleet } = useApi<FleetStatus>(useIsOpen() ? 'fleet' : undefined);
  const attention = fleet?.attention.items.length ?? 0;
  const letters = fleet?.deadLetters.count ?? 0;
  const rollouts = (fleet?.rollouts ?? []).filter(needsPerson).length;
  const entries: readonly Entry[] = [
    { page: 'fleet', href: '#/fleet', label: 'Fleet', icon: 'fleet' },
    { page: 'devices', href: '#/devices', label: 'Devices', icon: 'device' },
    { page: 'policies', href: '#/policies', label: 'Policies', icon: 'policy' },
    {
      page: 'rollouts',
      href: '#/rollouts',
      label: 'Rollouts',
      icon: 'rollout',
      count: rollouts === 0 ? undefined : countText(rollouts),
    },
    {
      page: 'attention',
      href: '#/attention',
      label: 'Attention',
      icon: 'bell',
      count:
        attention === 0 ? undefined : `${countText(attention)}${fleet?.attention.next == null ? '' : '+'}`,
    },
    { page: 'queue', href: '#/queue', label: 'Queue', icon: 'queue' },
    {
      page: 'dead-letters',
      href: '#/dead-letters',
      label: 'Dead letters',
      icon: 'letter',
      count: letters === 0 ? undefined : `${countText(letters)}${fleet?.deadLetters.more ? '+' : ''}`,
    },
  ];
  const local: readonly Entry[] =
    environment.kind === 'local'
      ? [
          { page: 'enrollments', href: '#/enrollments', label: 'Enrollments', icon: 'enrollment' },
          { page: 'events', href: '#/events', label: 'Events', icon: 'events' },
        ]
      : [];
  return (
    <>
      <EntryList entries={entries} route={route} onChosen={onChosen} />
      {local.length > 0 && (
        <>
          <p class="nav-title">Local stack</p>
          <EntryList entries={local} route={route} onChosen={onChosen} />
        </>
      )}
    </>
  );
}

function EntryList({
  entries,
  route,
  onChosen,
}: {
  readonly entries: readonly Entry[];
  readonly route: Route;
  onChosen(): void;
}) {
  return (
    <ul>
      {entries.map(({ page, href, label, icon, count }) => (
        <li key={page}>
          <a
            class="nav-link"
            href={href}
            aria-current={route.page === page ? 'page' : undefined}
            onClick={onChosen}
          >
            <Icon name={icon} />
            {label}
            {count !== undefined && <span class="nav-count number">{count}</span>}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Without a key, nothing is asked for in vain. */
function useIsOpen(): boolean {
  const { kind } = useConnection();
  return kind !== 'unauthorized' && kind !== 'signedOut';
}

function DeviceSearch({ onDone }: { onDone(): void }) {
  const [id, setId] = useState('');
  return (
    <search>
      <form
        class="device-search"
        onSubmit={(event) => {
          event.preventDefault();
          if (id.trim() === '') return;
          location.hash = deviceHref(id.trim());
          setId('');
          onDone();
        }}
      >
        <Icon name="search" />
        <input
          type="search"
          aria-label="Device id"
          placeholder="Device id   /"
          autocomplete="off"
          spellcheck={false}
          data-search="device"
          value={id}
          onInput={(event) => setId(event.currentTarget.value)}
        />
      </form>
    </search>
  );
}
