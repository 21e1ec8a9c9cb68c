/**
 * The certificate authority of the local Azure IoT: one root, the servers' certificate, and certificates for
 * devices.
 */
export {
  type AuthorityOptions,
  type CertificateAuthority,
  type IssueOptions,
  openAuthority,
} from './authority.ts';
export type { KeyedCertificate } from './certificate.ts';
export { commonName, isValidAt, signerOf } from './chain.ts';
export {
  type DeviceFiles,
  type OwnCertificates,
  openOwnCertificates,
  type TrustFiles,
} from './own-certificates.ts';
export { peerCertificates } from './peer-certificates.ts';
export { readTrustedFiles } from './trusted-files.ts';
