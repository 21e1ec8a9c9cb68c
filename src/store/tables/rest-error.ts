import { ownMember } from '../../json/json.ts';

/** Whether `@azure/identity` found no credential. */
export function hasNoCredential(error: unknown): boolean {
  return (
    error instanceof Error &&
    ['CredentialUnavailableError', 'ChainedTokenCredentialError', 'AggregateAuthenticationError'].includes(
      error.name,
    )
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
