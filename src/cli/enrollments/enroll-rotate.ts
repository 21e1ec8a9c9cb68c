import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import { DpsError, type DpsPort, type EnrollmentRecord } from '../../dps/port.ts';
import { checkWebhookKey } from '../../dps/webhook-check.ts';
import { isSameWebhook, withoutKey } from '../../dps/webhook-url.ts';
import { bodyWithKey, hasKeys } from '../../enroll/body.ts';
import {
  beginRotation,
  goesOn,
  isRotated,
  pointingAt,
  ROTATION_FORMAT,
  type Rotation,
  withRotated,
} from '../../enroll/rotation.ts';
import { isWebhookUrl } from '../../enroll/schema.ts';
import { addressesOf, webhooksOf } from '../../enroll/webhooks.ts';
import { BerthError } from '../../errors.ts';
import { presentFormat, readDocument } from '../../json/document-format.ts';
import { isObject, jsonOrUndefined } from '../../json/json.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { readTextFile, unwritable } from '../shell/files.ts';
import { type Given, requiredText, text, textOr } from '../shell/inputs.ts';
import { plural, say, type Terminal, tell } from '../shell/terminal.ts';
import { named } from './enroll-text.ts';
import { ENROLLMENTS_FILE, readEnrollmentsFile } from './enrollments-file.ts';

const INPUTS = {
  '--new-key-env <name>': requiredText('the environment variable with the new key'),
  '--file <file>': textOr(ENROLLMENTS_FILE, 'the enrollments file that names the webhook'),
  '--webhook <url>': text('the URL of the webhook, without a key (default: the webhook of the file)'),
  '--old-key-name <name>': text('the name of the old key, for the command that deletes it'),
  '--progress <file>': textOr('.berth-rotation.json', 'the file that stores the progress'),
};
type RotateKeyOptions = Given<typeof INPUTS>;

/** Only the owner may read the file, because it lists enrollments. */
const OWNER_ONLY = 0o600;

/**
 * `berth enroll rotate-key`: gives every enrollment that uses the webhook a new function key. No registration
 * fails, because Berth tries the new key first, updates every enrollment, and then checks every enrollment
 * again. Only then may the operator delete the old key. A stopped rotation continues with the same command.
 */
export function registerRotateKey(enroll: CommandGroup): void {
  enroll.command({
    name: 'rotate-key',
    description: 'give every enrollment that uses the webhook a new function key, in the safe order',
    inputs: INPUTS,
    example: 'berth enroll rotate-key --new-key-env NEW_WEBHOOK_KEY',
    changes: true,
    run: rotateKey,
  });
}

async function rotateKey(cli: Cli, options: RotateKeyOptions): Promise<number> {
  const { terminal, env, now } = cli;
  const key = env[options.newKeyEnv];
  if (!key)
    throw invalid(
      `--new-key-env names ${options.newKeyEnv}, which is not set: set it to the new function key.`,
    );
  const url = webhookUrl(options);
  const earlier = earlierProgress(options.progress);
  for (const address of addressesBehind(url, options.file)) {
    await checkWebhookKey(address, key);
    tell(terminal, `${withoutKey(address)} accepts the new key.`);
  }

  const dps = openDps(dpsPlace(env));
  try {
    const started =
      resumed(earlier, { file: options.progress, dps: dps.host, url, key, terminal }) ??
      beginRotation(dps.host, url, key, now());
    const keep = (rotation: Rotation): Rotation => writeProgress(options.progress, rotation);
    const rotation = await rotateAll(dps, url, key, keep(started), keep, terminal);
    await verifyAll(dps, url, rotation, terminal);
  } finally {
    await dps.close();
  }
  rmSync(options.progress, { force: true });
  sayHowToDeleteOldKey(terminal, url, options.oldKeyName);
  return 0;
}

function webhookUrl({ webhook, file }: RotateKeyOptions): string {
  if (webhook !== undefined) {
    if (isWebhookUrl(webhook)) return webhook;
    throw invalid(
      '--webhook is not a valid URL without a query: write https://APP.azurewebsites.net/api/allocate.',
    );
  }
  const url = readEnrollmentsFile(file).webhook?.url;
  if (url !== undefined) return url;
  throw invalid(`${file} has no "webhook" at the top level: give --webhook URL.`);
}

/** The addresses that must accept the new key: the URL, and each app behind it that the file names. */
function addressesBehind(url: string, file: string): readonly string[] {
  if (!existsSync(file)) return [url];
  const webhook = webhooksOf(readEnrollmentsFile(file)).find((each) => isSameWebhook(each.url, url));
  return webhook === undefined ? [url] : addressesOf(webhook);
}

/**
 * What the file says of an earlier rotation; undefined if there is no file, or an empty one. Berth overwrites and deletes only
 * its own files.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID` if the file is something else, `BERTH_FILE_UNREADABLE`
 * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package wrote the file
 */
function earlierProgress(file: string): Rotation | undefined {
  if (!existsSync(file)) return undefined;
  const given = readTextFile(file);
  // An empty file holds nothing that could be lost.
  if (given === '') return undefined;
  const json = jsonOrUndefined(given);
  const { format, ...document } = isObject(json) ? json : {};
  const read = readDocument(ROTATION_FORMAT, format, () => document);
  if (read.kind === 'newer') throw new NewerFormatError({ ...read.newer, of: file });
  if (read.kind === 'known') return read.value;
  throw invalid(
    `--progress is ${file}, which is not a progress file of a rotation, and is not overwritten: choose another name, or delete the file.`,
  );
}

/** The progress of a stopped rotation to the same key; undefined if it is another rotation. */
function resumed(
  earlier: Rotation | undefined,
  { file, dps, url, key, terminal }: RotationNow,
): Rotation | undefined {
  if (earlier === undefined) return undefined;
  if (goesOn(earlier, dps, url, key)) {
    const { startedAt, done } = earlier;
    tell(
      terminal,
      `Continuing the rotation that started at ${startedAt}: ${plural(Object.keys(done).length, 'enrollment')} done.`,
    );
    return earlier;
  }
  tell(terminal, `${file} belongs to another rotation. This rotation starts from the beginning.`);
  return undefined;
}

/** The rotation that the operator asks for. */
interface RotationNow {
  /** The progress file. */
  readonly file: string;
  readonly dps: string;
  readonly url: string;
  readonly key: string;
  readonly terminal: Terminal;
}

/**
 * Replaces the progress file as a whole: a full disk or a killed command leaves the file as it was before.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE`
 */
function writeProgress(file: string, rotation: Rotation): Rotation {
  const numbered = { format: presentFormat(ROTATION_FORMAT), ...rotation };
  const next = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(next, `${JSON.stringify(numbered, null, 2)}\n`, { mode: OWNER_ONLY, flush: true });
    renameSync(next, file);
    return rotation;
  } catch (error) {
    rmSync(next, { force: true });
    throw unwritable(file, error);
  }
}

async function rotateAll(
  dps: DpsPort,
  url: string,
  key: string,
  started: Rotation,
  keep: (rotation: Rotation) => Rotation,
  terminal: Terminal,
): Promise<Rotation> {
  let rotation = started;
  const all = await everyRecord(dps, url);
  if (all.length === 0)
    throw invalid(`No enrollment of ${dps.host} uses ${withoutKey(url)}: nothing to rotate.`);
  for (const record of all) {
    if (isRotated(rotation, record)) {
      say(terminal, `done before  ${named(record)}`);
      continue;
    }
    try {
      const mechanism = hasKeys(record) ? await dps.mechanism(record.kind, record.id) : undefined;
      const { kind, id, etag } = record;
      rotation = keep(
        withRotated(rotation, await dps.put(kind, id, bodyWithKey(record, url, key, mechanism), etag)),
      );
      say(terminal, `updated      ${named(record)}`);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      const { length } = Object.keys(rotation.done);
      if (error instanceof DpsError) say(terminal, `not updated  ${named(record)}`);
      if (error instanceof DpsError && error.code === 'BERTH_DPS_PRECONDITION_FAILED') {
        throw unfinished(
          `Another writer changed ${named(record)} meanwhile. ${length} of ${all.length} are done.`,
        );
      }
      tell(
        terminal,
        `${length} of ${all.length} are done. Keep the old key: the others still need it. Run the same command again to continue.`,
      );
      throw error;
    }
  }
  return rotation;
}

/** Reads every enrollment again: one that was created or changed meanwhile may have the old key. */
async function verifyAll(dps: DpsPort, url: string, rotation: Rotation, terminal: Terminal): Promise<void> {
  const all = await recordsToVerify(dps, url, terminal);
  const left = all.filter((record) => !isRotated(rotation, record));
  for (const record of left) say(terminal, `unverified   ${named(record)}`);
  if (left.length > 0) {
    throw unfinished(
      `${plural(left.length, 'enrollment')} changed during the rotation and may have the old key.`,
    );
  }
  say(
    terminal,
    `${plural(all.length, 'enrollment')} of ${dps.host} checked: all have the new key. The rotation started at ${rotation.startedAt}.`,
  );
}

async function recordsToVerify(
  dps: DpsPort,
  url: string,
  terminal: Terminal,
): Promise<readonly EnrollmentRecord[]> {
  try {
    return await everyRecord(dps, url);
  } catch (error) {
    tell(
      terminal,
      'All are updated, but not checked again. Keep the old key. Run the same command again to continue.',
    );
    throw error;
  }
}

async function everyRecord(dps: DpsPort, url: string): Promise<readonly EnrollmentRecord[]> {
  return pointingAt([...(await dps.list('group')), ...(await dps.list('individual'))], url);
}

function unfinished(what: string): BerthError {
  return new BerthError(
    'BERTH_ENROLLMENTS_UNFINISHED',
    `${what} Keep the old key and run the same command again to continue.`,
  );
}

function sayHowToDeleteOldKey(terminal: Terminal, url: string, oldKeyName: string | undefined): void {
  const { hostname, pathname } = new URL(url);
  const app = hostname.endsWith('.azurewebsites.net') ? (hostname.split('.', 1)[0] ?? '') : 'APP';
  const name = oldKeyName ?? 'OLD_KEY_NAME';
  say(terminal, 'You can delete the old key now, unless something else uses it:');
  say(
    terminal,
    pathname === '/api/allocate'
      ? `  az functionapp function keys delete --resource-group RESOURCE_GROUP --name ${app} --function-name allocateDevice --key-name ${name}`
      : `  az functionapp keys delete --resource-group RESOURCE_GROUP --name ${app} --key-type functionKeys --key-name ${name}`,
  );
  say(
    terminal,
    'If it is a key of the whole app, use: az functionapp keys delete --key-type functionKeys, with the same names.',
  );
}
