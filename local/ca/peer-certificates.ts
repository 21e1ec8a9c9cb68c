import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** Most certificates that are read from a chain. The rest of a longer chain is ignored. */
const MAX_CHAIN = 10;

/**
 * The certificates that a client sent, leaf first; empty if it sent none. TLS has proved that the client holds the
 * key of the leaf. The caller must check the chain.
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
