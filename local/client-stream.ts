import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { peerCertificates } from './ca/peer-certificates.ts';

/** A connected client of a server of the local stack: its bytes, over TLS or over a WebSocket. */
export interface ClientStream {
  readonly stream: Duplex;
  /** The host name for which the client asked, in lower case and without a port; undefined if it named none. */
  readonly host: string | undefined;
  /** The certificates of the client, leaf first; empty if it sent none. The caller must check the chain. */
  certificates(): readonly X509Certificate[];
  /** The address and port of the client, for the log. */
  readonly from: string;
}

/** The client of a TLS socket. It names its host by SNI. */
export function clientOfTls(socket: TLSSocket): ClientStream {
  // Not in the types of a server's socket: false if the client sent no name.
  const { servername } = socket as { readonly servername?: string | false | null };
  return {
    stream: socket,
    host: typeof servername === 'string' && servername !== '' ? servername.toLowerCase() : undefined,
    certificates: () => peerCertificates(socket),
    from: `${socket.remoteAddress}:${socket.remotePort}`,
  };
}
