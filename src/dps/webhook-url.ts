/** What DPS shows in the place of a function key (real captures: `…/api/allocate?****`). */
const MASK = '****';

/** The URL with the function key as `?code=`, since DPS can send no header. Never to be shown. */
export function withKey(url: string, key: string): string {
  return `${url}?code=${encodeURIComponent(key)}`;
}

/** The URL without its query, in which the key is: fit to be shown and compared. */
export function withoutKey(url: string): string {
  const [place = ''] = url.split(/[?#]/);
  if (!URL.canParse(place)) return place;
  const { origin, pathname } = new URL(place);
  return `${origin}${pathname}`;
}

/** Whether two URLs lead to the same webhook, whatever their keys. */
export function isSameWebhook(left: string, right: string): boolean {
  return withoutKey(left) === withoutKey(right);
}

/**
 * Whether a URL that DPS has shown carries this key. DPS masks the query, and then nobody can tell.
 */
export function carriesKey(url: string, key: string): boolean | 'unknown' {
  const query = url.split('?').slice(1).join('?');
  if (query.includes(MASK)) return 'unknown';
  return new URLSearchParams(query).get('code') === key;
}
