import { X509Certificate } from 'node:crypto';
import { openCaCertificates } from '../../dps/ca-certificates.ts';
import { managementPlace } from '../../dps/connection.ts';
import type { CaCertificate, CaCertificates } from '../../dps/port.ts';
import { BerthError } from '../../errors.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { readTextFile } from '../shell/files.ts';
import { type Given, requiredText } from '../shell/inputs.ts';
import { say, tell } from '../shell/terminal.ts';

const UPLOAD = {
  '<name>': requiredText('the name that groups use in caReferences'),
  '--file <file>': requiredText('the certificate, in PEM'),
};

const VERIFY = {
  '<name>': requiredText('the name of the uploaded certificate'),
  '--file <file>': requiredText('the signed verification certificate, in PEM'),
};

/** The names of certificates that DPS allows. */
const NAME = /^[A-Za-z0-9\-._]{1,64}$/;

/** `berth enroll certificate`: uploads CA certificates to DPS and proves possession of their keys. */
export function registerCertificate(enroll: CommandGroup): void {
  const certificate = enroll.group(
    'certificate',
    'upload and verify CA certificates of DPS; needs BERTH_DPS__resourceId',
  );
  certificate.command({
    name: 'upload',
    description: 'upload a CA certificate, and show how to sign its verification code',
    inputs: UPLOAD,
    example: 'berth enroll certificate upload factory --file factory.pem',
    changes: true,
    run: uploadCertificate,
  });
  certificate.command({
    name: 'verify',
    description: 'prove possession with the signed verification certificate',
    inputs: VERIFY,
    example: 'berth enroll certificate verify factory --file proof.pem',
    changes: true,
    run: verifyCertificate,
  });
}

/**
 * `berth enroll certificate upload`: uploads a CA certificate and requests its verification code. It never
 * reads the private key: the operator signs the code where the key is.
 */
async function uploadCertificate(cli: Cli, { name, file }: Given<typeof UPLOAD>): Promise<number> {
  const { terminal } = cli;
  const { pem, thumbprint } = readCertificate(file);
  return withCertificates(cli, name, async (certificates) => {
    const before = await certificates.get(name);
    if (before !== undefined && !isSame(before, thumbprint)) {
      throw invalid(
        `DPS already has another certificate ${name} (SHA-1 ${before.thumbprint}): choose another name, so that DPS accepts both during the change.`,
      );
    }
    if (before?.isVerified) {
      tell(terminal, `${name} is already uploaded and verified.`);
      return 0;
    }
    const uploaded = before ?? (await certificates.upload(name, pem, undefined));
    const code = await certificates.challenge(name, uploaded.etag);
    tell(
      terminal,
      `${name} is uploaded (SHA-1 ${thumbprint}), not verified yet. Run these commands where the private key is:`,
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

/**
 * `berth enroll certificate verify`: sends the signed certificate to DPS. Groups can then refer to the name.
 */
async function verifyCertificate(cli: Cli, { name, file }: Given<typeof VERIFY>): Promise<number> {
  const { terminal } = cli;
  const { pem } = readCertificate(file);
  return withCertificates(cli, name, async (certificates) => {
    const before = await certificates.get(name);
    if (before === undefined)
      throw invalid(
        `DPS has no certificate ${name}: run "berth enroll certificate upload ${name} --file FILE" first.`,
      );
    if (before.isVerified) {
      tell(terminal, `${name} is already verified.`);
      return 0;
    }
    const after = await certificates.verify(name, pem, before.etag);
    if (!after.isVerified)
      throw new BerthError(
        'BERTH_ENROLLMENTS_UNFINISHED',
        `${name} is not verified yet: run "berth enroll certificate upload" again and sign the new code.`,
      );
    tell(terminal, `${name} is verified. Groups can use it in caReferences.`);
    return 0;
  });
}

async function withCertificates(
  { env }: Cli,
  name: string,
  act: (certificates: CaCertificates) => Promise<number>,
): Promise<number> {
  if (!NAME.test(name))
    throw invalid(`"${name}" is not a name of a certificate: use 1 to 64 letters, digits, "-", "." or "_".`);
  const certificates = openCaCertificates(managementPlace(env));
  try {
    return await act(certificates);
  } finally {
    await certificates.close();
  }
}

function readCertificate(file: string): { readonly pem: string; readonly thumbprint: string } {
  const text = readTextFile(file);
  if (text.includes('PRIVATE KEY'))
    throw invalid(`${file} contains a private key: give a file that contains only the certificate.`);
  try {
    const certificate = new X509Certificate(text);
    return { pem: certificate.toString(), thumbprint: certificate.fingerprint.replaceAll(':', '') };
  } catch {
    throw new BerthError('BERTH_FILE_UNREADABLE', `${file} contains no certificate in PEM.`);
  }
}

function isSame({ thumbprint }: CaCertificate, other: string): boolean {
  return thumbprint.toUpperCase() === other.toUpperCase();
}
