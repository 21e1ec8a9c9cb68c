import * as z from 'zod';

/** The claims of an Entra token that name its owner: a person, else an application. */
const claims = z.object({
  upn: z.string().optional(),
  unique_name: z.string().optional(),
  preferred_username: z.string().optional(),
  appid: z.string().optional(),
  oid: z.string().optional(),
});

const SCOPE = 'https://storage.azure.com/.default';

/**
 * The signed-in identity, from the token that opens the state tables.
 */
export async function signedInAs(): Promise<string> {
  const { DefaultAzureCredential } = await import('@azure/identity');
  const { token } = await new DefaultAzureCredential().getToken(SCOPE);
  return ownerOf(token);
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
