import { X509Certificate } from 'node:crypto';
import { openCaCertificates } from '../../dps/ca-certificates.ts';
import { managementPlace } from '../../dps/connection.ts';
import type { CaCertificate, CaCertificates } from '../../dps/port.ts';
import { BerthError } from '../../errors.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { readText } from '../shell/files.ts';
import { say, tell } from '../shell/terminal.ts';

export interface CertificateOptions {
  /** PEM. */
  readonly file: string;
}

/** Names of certificates in DPS. */
const NAME = /^[A-Za-z0-9\-._]{1,64}$/;

/**
 * `berth enroll certificate upload`: uploads a CA certificate and asks for the code that proves possession of its key.
 * The key itself is never read: the operator signs, where the key is.
 */
export async function uploadCertificate(
  cli: Cli,
  name: string,
  { file }: CertificateOptions,
): Promise<number> {
  const { terminal } = cli;
  const { pem, thumbprint } = readCertificate(file);
  return withCertificates(cli, name, async (certificates) => {
    const before = await certificates.get(name);
    if (before !== undefined && !isSame(before, thumbprint)) {
      throw invalid(
        `${name} is another certificate (SHA-1 ${before.thumbprint}): choose another name, so that both are known while devices change over.`,
      );
    }
    if (before?.isVerified) {
      tell(terminal, `${name} is uploaded and verified already.`);
      return 0;
    }
    const uploaded = before ?? (await certificates.upload(name, pem, undefined));
    const { code } = await certificates.challenge(name, uploaded.etag);
    tell(
      terminal,
      `${name} is uploaded (SHA-1 ${thumbprint}), not verified yet. Sign its code where the private key is:`,
    );
    say(
      terminal,
      `openssl req -new -newkey rsa:2048 -nodes -keyout proof.key -out proof.csr -subj "/CN=${code}"`,
    );
    say(
      terminal,
      `openssl x509 -req -in proof.csr -CA ${file} -CAkey CA_KEY_FILE -CAcreateserial -days 1 -out proof.pem`,
    );
    say(terminal, `berth enroll certificate verify ${name} --file proof.pem`);
    return 0;
  });
}

/** `berth enroll certificate verify`: shows DPS the certificate that was signed; groups may refer to the name then. */
export async function verifyCertificate(
  cli: Cli,
  name: string,
  { file }: CertificateOptions,
): Promise<number> {
  const { terminal } = cli;
  const { pem } = readCertificate(file);
  return withCertificates(cli, name, async (certificates) => {
    const before = await certificates.get(name);
    if (before === undefined)
      throw invalid(`DPS has no certificate ${name}: berth enroll certificate upload first.`);
    if (before.isVerified) {
      tell(terminal, `${name} is verified already.`);
      return 0;
    }
    const after = await certificates.verify(name, pem, before.etag);
    if (!after.isVerified)
      throw new BerthError('BERTH_ENROLLMENTS_UNFINISHED', `${name} is not verified yet.`);
    tell(terminal, `${name} is verified: groups may have it in caReferences.`);
    return 0;
  });
}

async function withCertificates(
  { env }: Cli,
  name: string,
  act: (certificates: CaCertificates) => Promise<number>,
): Promise<number> {
  if (!NAME.test(name))
    throw invalid('The name of a certificate has 1 to 64 letters, digits, "-", "." or "_".');
  const certificates = openCaCertificates(managementPlace(env));
  try {
    return await act(certificates);
  } finally {
    await certificates.close();
  }
}

function readCertificate(file: string): { readonly pem: string; readonly thumbprint: string } {
  const text = readText(file);
  if (text.includes('PRIVATE KEY'))
    throw invalid(`${file} holds a private key, which must not leave its place: give the certificate alone.`);
  try {
    const certificate = new X509Certificate(text);
    return { pem: certificate.toString(), thumbprint: certificate.fingerprint.replaceAll(':', '') };
  } catch {
    throw new BerthError('BERTH_FILE_UNREADABLE', `${file} holds no certificate in PEM.`);
  }
}

function isSame({ thumbprint }: CaCertificate, other: string): boolean {
  return thumbprint.toUpperCase() === other.toUpperCase();
}
