import type { HttpService } from './exchange.ts';

/** Serves a revocation list (RFC 5280, 4.2.1.13: over plain HTTP, in DER). */
export function createRevocationListService(list: {
  readonly path: string;
  readonly der: Buffer;
}): HttpService {
  return {
    names: [],
    claims: ({ path }) => path.startsWith('/ca/') && path.endsWith('.crl'),
    async answer({ method, path }) {
      if (path !== list.path || method !== 'GET') return { status: 404 };
      return { status: 200, headers: { 'Content-Type': 'application/pkix-crl' }, bytes: list.der };
    },
  };
}
