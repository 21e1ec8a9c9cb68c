import { useEffect, useRef, useState } from 'preact/hooks';
import { type Route, routeOf } from '../address/route.ts';
import { useBerth, useConnection } from '../api/berth.ts';
import { OneDevicePage } from '../pages/device/device-page.tsx';
import { FleetPage } from '../pages/fleet/fleet-page.tsx';
import { AttentionListPage } from '../pages/lists/attention-page.tsx';
import { DeadLettersPage } from '../pages/lists/dead-letters-page.tsx';
import { DevicesPage } from '../pages/lists/devices-page.tsx';
import { WorkQueuePage } from '../pages/lists/queue-page.tsx';
import { EnrollmentsPage } from '../pages/local/enrollments-page.tsx';
import { EventsPage } from '../pages/local/events-page.tsx';
import { PoliciesPage } from '../pages/policies-page.tsx';
import { RolloutsPage } from '../pages/rollouts/rollouts-page.tsx';
import { Empty, PageHead } from '../parts/section.tsx';
import { ConnectionNotice, HelpDialog, KeyGate } from './connection.tsx';
import { KEYS, listenForKeys } from './keyboard.ts';
import { Navigation } from './navigation.tsx';

/** The console: navigation, and the page that the address names. */
export function App() {
  const route = useRoute();
  const connection = useConnection();
  const [isHelp, setIsHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const isLocked = connection.kind === 'unauthorized' || connection.kind === 'signedOut';
  const place = `${route.page} ${'id' in route ? route.id : ''}`;
  const isFirst = useRef(true);
  useEffect(
    () =>
      listenForKeys({
        help: () => setIsHelp(true),
        theme: () => document.querySelector<HTMLElement>('[data-theme-switch]')?.click(),
      }),
    [],
  );
  useEffect(() => {
    document.title = titleOf(route);
    // A screen reader, and the keyboard, go on at the new page.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
    scrollTo(0, 0);
  }, [place]);
  return (
    <div class="shell">
      <Navigation route={route} onHelp={() => setIsHelp(true)} onSkip={() => main.current?.focus()} />
      <main ref={main} tabIndex={-1}>
        <ConnectionNotice />
        {isLocked ? <KeyGate /> : <Page key={place} route={route} />}
      </main>
      {isHelp && <HelpDialog keys={KEYS} onClose={() => setIsHelp(false)} />}
    </div>
  );
}

function Page({ route }: { readonly route: Route }) {
  const { environment } = useBerth();
  const isLocal = environment.kind === 'local';
  switch (route.page) {
    case 'fleet':
      return <FleetPage />;
    case 'devices':
      return route.id === undefined ? <DevicesPage filter={route.filter} /> : <OneDevicePage id={route.id} />;
    case 'policies':
      return <PoliciesPage />;
    case 'rollouts':
      return <RolloutsPage />;
    case 'attention':
      return <AttentionListPage filter={route.filter} />;
    case 'queue':
      return <WorkQueuePage />;
    case 'dead-letters':
      return <DeadLettersPage />;
    case 'enrollments':
      return isLocal ? <EnrollmentsPage /> : <NotFound />;
    case 'events':
      return isLocal ? <EventsPage /> : <NotFound />;
    case 'not-found':
      return <NotFound />;
  }
}

function NotFound() {
  return (
    <>
      <PageHead title="There is no such page" />
      <Empty title={`The address ${location.hash} names no page of the console.`}>
        <a href="#/fleet">Go to the fleet</a>
      </Empty>
    </>
  );
}

const TITLES: Readonly<Record<Route['page'], string>> = {
  fleet: 'Fleet',
  devices: 'Devices',
  policies: 'Policies',
  rollouts: 'Rollouts',
  attention: 'Attention',
  queue: 'Queue',
  'dead-letters': 'Dead letters',
  enrollments: 'Enrollments',
  events: 'Events',
  'not-found': 'No such page',
};

function titleOf(route: Route): string {
  const name = route.page === 'devices' && route.id !== undefined ? route.id : TITLES[route.page];
  return `${name} · Berth`;
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}
