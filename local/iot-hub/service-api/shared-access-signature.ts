import { createHmac, timingSafeEqual } from 'node:crypto';

/** A token, as the client sent it. */
export interface SharedAccessSignature {
  /** The signed text of the resource. Some clients encode it, some do not. */
  readonly sr: string;
  readonly sig: string;
  /** Seconds since the epoch. */
  readonly expiry: number;
  readonly keyName: string | undefined;
}

const PREFIX = 'SharedAccessSignature ';

/** Reads a token with its fields in any order; undefined if the text is not a token. */
export function parseSharedAccessSignature(text: string): SharedAccessSignature | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const fields = new Map(
    text
      .slice(PREFIX.length)
      .split('&')
      .map((field) => {
        const equals = field.indexOf('=');
        return [field.slice(0, equals), field.slice(equals + 1)] as const;
      }),
  );
  const sr = fields.get('sr');
  const sig = decoded(fields.get('sig'));
  const se = fields.get('se');
  if (sr === undefined || sig === undefined || se === undefined || !/^\d{1,12}$/.test(se)) return undefined;
  return { sr, sig, expiry: Number(se), keyName: decoded(fields.get('skn')) };
}

/** The decoded resource of a token. */
export function resourceOf(token: SharedAccessSignature): string | undefined {
  return decoded(token.sr);
}

/**
 * The resources that a token can mean. Some SDKs encode an id before they encode the whole resource, so the decoded text
 * may have to be decoded again. An id can also contain `%`, so each reading counts.
 */
export function resourcesOf(token: SharedAccessSignature): readonly string[] {
  const once = decoded(token.sr);
  const twice = decoded(once);
  return [token.sr, once, twice].flatMap((resource) => resource || []);
}

/** Whether a token covers a resource: its own resource and everything below, in any case. */
export function covers(token: SharedAccessSignature, host: string, path: string): boolean {
  const wanted = (host + path).toLowerCase();
  return resourcesOf(token).some((resource) => {
    const base = resource.toLowerCase().replace(/\/$/, '');
    return wanted === base || wanted.startsWith(`${base}/`);
  });
}

/** Whether the token was signed with one of these keys (base64) and has not expired. */
export function isSignedBy(token: SharedAccessSignature, keys: readonly string[], now: number): boolean {
  if (token.expiry * 1000 <= now) return false;
  const given = Buffer.from(token.sig, 'base64');
  return keys.some((key) => {
    const message = `${token.sr}\n${token.expiry}`;
    const wanted = createHmac('sha256', Buffer.from(key, 'base64')).update(message, 'utf8').digest();
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
