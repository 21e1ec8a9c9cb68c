import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** A client may send no more certificates than this; the rest of a longer chain is not looked at. */
const MAX_CHAIN = 10;

/**
 * The certificates that a client showed, leaf first; empty if it showed none. TLS has proved that the client
 * holds the leaf's key; whether the chain leads anywhere is for the caller to check.
 */
export function peerCertificates(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let peer: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  while (peer?.raw !== undefined && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(peer.raw));
    if (peer.issuerCertificate === peer) break;
    peer = peer.issuerCertificate;
  }
  return chain;
}
