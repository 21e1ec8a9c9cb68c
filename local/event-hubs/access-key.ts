import { createHmac, timingSafeEqual } from 'node:crypto';

/** A shared access policy: its name and its key, as text. */
export interface EventHubPolicy {
  readonly keyName: string;
  readonly key: string;
}

/**
 * The only policy of the local namespace. It has all rights. It is the public one of Microsoft's emulator
 * (Azure/azure-event-hubs-emulator-installer).
 */
export const ACCESS_KEY = { keyName: 'RootManageSharedAccessKey', key: 'SAS_KEY_VALUE' } as const;

/** A checked token. */
export interface AccessToken {
  /** The resource, decoded: a URL or a path of the namespace, an event hub, or a part of it. */
  readonly resource: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

const PREFIX = 'SharedAccessSignature ';

/** Whether a token has the form of a shared access signature, valid or not. */
export function isAccessToken(text: unknown): text is string {
  return typeof text === 'string' && text.startsWith(PREFIX);
}

/**
 * Checks a shared access signature. Unlike in IoT Hub, the key is signed as text (event-hubs, "authenticate shared access
 * signature"). Returns the text of Event Hubs for a token that it refuses.
 *
 * @param policies those of the event hub, besides the one of the namespace.
 */
export function readAccessToken(
  text: unknown,
  now: number,
  policies: readonly EventHubPolicy[],
): AccessToken | string {
  if (!isAccessToken(text)) return MALFORMED;
  const fields = new Map(
    text
      .slice(PREFIX.length)
      .split('&')
      .map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)] as const),
  );
  const [sr = '', se = ''] = [fields.get('sr'), fields.get('se')];
  const [resource, sig, skn] = [decoded(sr), decoded(fields.get('sig')), decoded(fields.get('skn'))];
  if (!resource || !sig || !/^\d{1,12}$/.test(se)) return MALFORMED;
  const policy = [ACCESS_KEY, ...policies].find(({ keyName }) => keyName === skn);
  const wanted = createHmac('sha256', (policy ?? ACCESS_KEY).key)
    .update(`${sr}\n${se}`, 'utf8')
    .digest();
  const given = Buffer.from(sig, 'base64');
  const isSigned = given.length === wanted.length && timingSafeEqual(given, wanted);
  if (policy === undefined || !isSigned) return 'InvalidSignature: The token has an invalid signature.';
  const expires = Number(se) * 1000;
  return expires <= now ? 'ExpiredToken: The token is expired.' : { resource, expires };
}

const MALFORMED = 'MalformedToken: The token is not a shared access signature.';

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
