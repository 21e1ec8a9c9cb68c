/** The text that DPS shows instead of a function key (real captures: `…/api/allocate?****`). */
const MASK = '****';

/**
 * The URL with the function key as `?code=`, because DPS cannot send a header. It contains a secret: never
 * show it.
 */
export function withKey(url: string, key: string): string {
  return `${url}?code=${encodeURIComponent(key)}`;
}

/** The URL without its query, which contains the key. It can be shown and compared. */
export function withoutKey(url: string): string {
  const [place = ''] = url.split(/[?#]/);
  if (!URL.canParse(place)) return place;
  const { origin, pathname } = new URL(place);
  return `${origin}${pathname}`;
}

/** Whether two URLs name the same webhook, without regard to their keys. */
export function isSameWebhook(left: string, right: string): boolean {
  return withoutKey(left) === withoutKey(right);
}

/**
 * Whether a URL from DPS contains this key; `unknown` if DPS masks the query.
 */
export function carriesKey(url: string, key: string): boolean | 'unknown' {
  const query = url.split('?').slice(1).join('?');
  if (query.includes(MASK)) return 'unknown';
  return new URLSearchParams(query).get('code') === key;
}
