import * as z from 'zod';
import { noTokenError } from '../../store/tables/rest-error.ts';

/** The claims of an Entra token that name its owner: a person, else an application. */
const claims = z.object({
  upn: z.string().optional(),
  unique_name: z.string().optional(),
  preferred_username: z.string().optional(),
  appid: z.string().optional(),
  oid: z.string().optional(),
});

const SCOPE = 'https://storage.azure.com/.default';

/** Gives tokens of an identity, as the credentials of `@azure/identity` do. */
export interface TokenSource {
  getToken(scope: string): Promise<{ readonly token: string }>;
}

/**
 * The signed-in identity, from the token that opens the state tables.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` if there is no sign-in, or it has expired
 */
export async function signedInAs(source?: TokenSource): Promise<string> {
  try {
    const { token } = await (source ?? (await signedInIdentity())).getToken(SCOPE);
    return ownerOf(token);
  } catch (error) {
    throw noTokenError(error);
  }
}

async function signedInIdentity(): Promise<TokenSource> {
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new DefaultAzureCredential();
}

/** The owner of a token. It does not verify the signature; Azure Storage does. */
export function ownerOf(token: string): string {
  const parsed = claims.safeParse(decode(token.split('.')[1] ?? ''));
  const { upn, unique_name, preferred_username, appid, oid } = parsed.success ? parsed.data : {};
  const application = appid === undefined ? undefined : `application ${appid}`;
  return upn ?? unique_name ?? preferred_username ?? application ?? oid ?? 'an unknown identity';
}

function decode(payload: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
