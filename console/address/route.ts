/** A page of the console, as the fragment of its address names it. */
export type Route =
  | { readonly page: 'fleet' }
  | { readonly page: 'devices'; readonly id?: string; readonly filter: Readonly<Record<string, string>> }
  | { readonly page: 'policies' }
  | { readonly page: 'rollouts' }
  | { readonly page: 'attention'; readonly filter: Readonly<Record<string, string>> }
  | { readonly page: 'queue' }
  | { readonly page: 'dead-letters' }
  | { readonly page: 'enrollments' }
  | { readonly page: 'events' }
  | { readonly page: 'not-found'; readonly address: string };

const PLAIN = ['fleet', 'policies', 'rollouts', 'queue', 'dead-letters', 'enrollments', 'events'] as const;

/** The page of a fragment such as `#/devices/sim-0001`; the fleet where there is none. */
export function routeOf(fragment: string): Route {
  const [path = '', query = ''] = fragment.replace(/^#\/?/, '').split('?');
  const [page = '', ...rest] = path.split('/').filter((part) => part !== '');
  const filter = Object.fromEntries(new URLSearchParams(query));
  if (page === '') return { page: 'fleet' };
  if (page === 'devices') {
    if (rest.length === 0) return { page, filter };
    const id = decoded(rest.join('/'));
    return id === undefined ? { page: 'not-found', address: fragment } : { page, id, filter };
  }
  if (page === 'attention' && rest.length === 0) return { page, filter };
  const plain = PLAIN.find((each) => each === page);
  return plain === undefined || rest.length > 0 ? { page: 'not-found', address: fragment } : { page: plain };
}

/** The address of a device's page. */
export function deviceHref(deviceId: string): string {
  return `#/devices/${encodeURIComponent(deviceId)}`;
}

/** The address of a list with a filter; empty values are left out. */
export function listHref(
  page: 'devices' | 'attention',
  filter: Readonly<Record<string, string | undefined>>,
): string {
  const entries = Object.entries(filter).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const query = new URLSearchParams(entries).toString();
  return query === '' ? `#/${page}` : `#/${page}?${query}`;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
