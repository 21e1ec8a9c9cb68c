import { BerthError } from '../../errors.ts';
import { ownMember } from '../../json/json.ts';

/** The errors of `@azure/identity`: there is no credential, the sign-in has expired, or Microsoft Entra ID refuses it. */
const IDENTITY_ERRORS: ReadonlySet<string> = new Set([
  'CredentialUnavailableError',
  'ChainedTokenCredentialError',
  'AggregateAuthenticationError',
  'AuthenticationError',
  'AuthenticationRequiredError',
]);

/** Whether `@azure/identity` gave no token. */
export function hasNoToken(error: unknown): boolean {
  return error instanceof Error && IDENTITY_ERRORS.has(error.name);
}

/** The error for an identity that gives no token. Only the name is shown: the message may quote the answer of the identity endpoint. */
export function noTokenError(error: unknown): BerthError {
  const reason = error instanceof Error ? error.name : 'error';
  return new BerthError(
    'BERTH_STORE_UNAVAILABLE',
    `Cannot get a token for the state tables (${reason}): run "az login", or check AZURE_CLIENT_ID.`,
  );
}

/** What an error of the SDK says of a request. */
export interface RestErrorLike {
  readonly statusCode: number | undefined;
  readonly code: string | undefined;
  readonly message: string;
  /** Where the request went. */
  readonly url: string | undefined;
}

/** The parts of an error that may be shown. A RestError also holds the request with its authorization header. */
export function asRestError(error: unknown): RestErrorLike {
  if (typeof error !== 'object' || error === null)
    return { statusCode: undefined, code: undefined, message: '', url: undefined };
  const { statusCode, message, request, details } = error as Record<string, unknown>;
  // The SDK leaves `code` undefined for errors of the table service (@azure/data-tables 13.3.2).
  const code =
    (error as { readonly code?: unknown }).code ?? ownMember(ownMember(details, 'odataError'), 'code');
  const url = (request as { readonly url?: unknown } | undefined)?.url;
  return {
    statusCode: typeof statusCode === 'number' ? statusCode : undefined,
    code: typeof code === 'string' ? code : undefined,
    message: typeof message === 'string' ? message : '',
    url: typeof url === 'string' && URL.canParse(url) ? url : undefined,
  };
}
