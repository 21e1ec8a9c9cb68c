import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { ApiClient } from './client.ts';
import type { PageClock } from './clock.ts';
import type { ConsoleEnvironment } from './environment.ts';
import type { FunctionKey } from './function-key.ts';
import type { Connection, Poller, Resource } from './poller.ts';

/** What every part of the page may use of the world outside of it. */
export interface Berth {
  readonly environment: ConsoleEnvironment;
  readonly client: ApiClient;
  readonly poller: Poller;
  readonly key: FunctionKey;
  readonly clock: PageClock;
}

const Context = createContext<Berth | undefined>(undefined);
export const BerthProvider = Context.Provider;

export function useBerth(): Berth {
  const berth = useContext(Context);
  if (berth === undefined) throw new Error('This part of the console is outside of BerthProvider.');
  return berth;
}

/** What is known of an address, with the type of its answer. */
export interface KnownAnswer<Body> extends Omit<Resource, 'body'> {
  readonly body: Body | undefined;
}

/** What is known of a function of Berth (`fleet`, `devices/sim-0001`), kept fresh while the caller is shown. */
export function useApi<Body>(route: string | undefined): KnownAnswer<Body> {
  const { environment } = useBerth();
  return useResource<Body>(route === undefined ? undefined : `${environment.api}/${route}`);
}

/** What is known of a route of the local control API; nothing in a deployed console. */
export function useControl<Body>(route: string): KnownAnswer<Body> {
  const { environment } = useBerth();
  return useResource<Body>(environment.kind === 'local' ? `${environment.control}/${route}` : undefined);
}

/** As `useApi`; while another route of the same list is read, the list before stays. */
export function useList<Body>(route: string): KnownAnswer<Body> {
  const known = useApi<Body>(route);
  const last = useRef<Body | undefined>(undefined);
  if (known.body !== undefined || known.problem !== undefined) last.current = known.body;
  return { ...known, body: known.body ?? last.current };
}

function useResource<Body>(address: string | undefined): KnownAnswer<Body> {
  const { poller } = useBerth();
  const redraw = useRedraw();
  useEffect(() => (address === undefined ? undefined : poller.watch(address, redraw)), [poller, address]);
  const { body, at, problem } = poller.read(address ?? '');
  return { body: body as Body | undefined, at, problem };
}

export function useConnection(): Connection {
  const { poller } = useBerth();
  const redraw = useRedraw();
  useEffect(() => poller.watchConnection(redraw), [poller]);
  return poller.connection;
}

/** The time, ms since the epoch; the caller is drawn again every second. */
export function useNow(): number {
  const { clock } = useBerth();
  const redraw = useRedraw();
  useEffect(() => clock.watch(redraw), [clock]);
  return clock.now();
}

function useRedraw(): () => void {
  const [, count] = useState(0);
  return () => count((before) => before + 1);
}
