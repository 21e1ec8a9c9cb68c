import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import { DpsError, type DpsPort, type EnrollmentRecord } from '../../dps/port.ts';
import { checkWebhookKey } from '../../dps/webhook-check.ts';
import { withoutKey } from '../../dps/webhook-url.ts';
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
import { BerthError } from '../../errors.ts';
import { presentFormat, readDocument } from '../../json/document-format.ts';
import { isObject } from '../../json/json.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { parseJson, readText, unwritable } from '../shell/files.ts';
import { type Given, requiredText, text, textOr } from '../shell/inputs.ts';
import { plural, say, type Terminal, tell } from '../shell/terminal.ts';
import { named } from './enroll-text.ts';
import { ENROLLMENTS_FILE, readEnrollmentsFile } from './enrollments-file.ts';

const INPUTS = {
  '--new-key-env <name>': requiredText('environment variable with the new key'),
  '--file <file>': textOr(ENROLLMENTS_FILE, 'the enrollments file, for its webhook'),
  '--webhook <url>': text('another webhook than the one of the file; without a key'),
  '--old-key-name <name>': text('what the old key is called, for the command that deletes it'),
  '--progress <file>': textOr('.berth-rotation.json', 'where it is kept how far it is'),
};
type RotateKeyOptions = Given<typeof INPUTS>;

/** Only the owner: it says which enrollments there are. */
const OWNER_ONLY = 0o600;

/**
 * `berth enroll rotate-key`: gives every enrollment that asks the webhook another function key, in the order in which
 * no registration fails: the new key is tried, every enrollment gets it, every enrollment is looked at again, and only
 * then may the old one go. May be stopped at any time, and goes on.
 */
export function registerRotateKey(enroll: CommandGroup): void {
  enroll.command({
    name: 'rotate-key',
    description: 'give every enrollment that asks the webhook another function key, in the safe order',
    inputs: INPUTS,
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
  await checkWebhookKey(url, key);
  tell(terminal, `${withoutKey(url)} takes the new key.`);

  const dps = openDps(dpsPlace(env));
  try {
    const started =
      resumed(options.progress, dps.host, url, key, terminal) ?? beginRotation(dps.host, url, key, now());
    const keep = (rotation: Rotation): Rotation => writeProgress(options.progress, rotation);
    const rotation = await rotateAll(dps, url, key, keep(started), keep, terminal);
    await verifyAll(dps, url, rotation, terminal);
  } finally {
    await dps.close();
  }
  rmSync(options.progress, { force: true });
  sayFarewell(terminal, url, options.oldKeyName);
  return 0;
}

function webhookUrl({ webhook, file }: RotateKeyOptions): string {
  if (webhook !== undefined) {
    if (isWebhookUrl(webhook)) return webhook;
    throw invalid('--webhook is no URL without a query: write https://APP.azurewebsites.net/api/allocate.');
  }
  const url = readEnrollmentsFile(file).webhook?.url;
  if (url !== undefined) return url;
  throw invalid(`${file} has no webhook at its top: give --webhook URL.`);
}

/**
 * A rotation of the same key that stopped; undefined: there is none.
 *
 * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) for the file of a newer package: it stays as it is
 */
function resumed(
  file: string,
  dps: string,
  url: string,
  key: string,
  terminal: Terminal,
): Rotation | undefined {
  if (!existsSync(file)) return undefined;
  const json = parseJson(readText(file), file);
  const { format, ...document } = isObject(json) ? json : {};
  const read = readDocument(ROTATION_FORMAT, format, () => document);
  if (read.kind === 'newer') throw new NewerFormatError({ ...read.newer, of: file });
  if (read.kind === 'known' && goesOn(read.value, dps, url, key)) {
    const { startedAt, done } = read.value;
    tell(
      terminal,
      `Going on with the rotation of ${startedAt}: ${plural(Object.keys(done).length, 'enrollment')} done.`,
    );
    return read.value;
  }
  tell(terminal, `${file} is of another rotation: this one starts from the beginning.`);
  return undefined;
}

/** @throws BerthError `BERTH_FILE_UNREADABLE` */
function writeProgress(file: string, rotation: Rotation): Rotation {
  try {
    const numbered = { format: presentFormat(ROTATION_FORMAT), ...rotation };
    writeFileSync(file, `${JSON.stringify(numbered, null, 2)}\n`, { mode: OWNER_ONLY });
    return rotation;
  } catch (error) {
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
    throw invalid(`No enrollment of ${dps.host} asks ${withoutKey(url)}: nothing to rotate.`);
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
      if (!(error instanceof DpsError)) throw error;
      const { length } = Object.keys(rotation.done);
      say(terminal, `not updated  ${named(record)}`);
      if (error.code === 'BERTH_DPS_PRECONDITION_FAILED') {
        throw unfinished(
          `Somebody else wrote ${named(record)} in between; ${length} of ${all.length} are done.`,
        );
      }
      tell(
        terminal,
        `${length} of ${all.length} are done. Keep the old key: the others still need it. The same command goes on.`,
      );
      throw error;
    }
  }
  return rotation;
}

/** Reads everything again: what was written since it got the new key, or came to be since, may have the old one. */
async function verifyAll(dps: DpsPort, url: string, rotation: Rotation, terminal: Terminal): Promise<void> {
  const all = await everyRecord(dps, url);
  const left = all.filter((record) => !isRotated(rotation, record));
  for (const record of left) say(terminal, `not sure     ${named(record)}`);
  if (left.length > 0) {
    throw unfinished(`${plural(left.length, 'enrollment')} changed since and may have the old key.`);
  }
  say(
    terminal,
    `${plural(all.length, 'enrollment')} of ${dps.host}, all with the new key since ${rotation.startedAt}.`,
  );
}

async function everyRecord(dps: DpsPort, url: string): Promise<readonly EnrollmentRecord[]> {
  return pointingAt([...(await dps.list('group')), ...(await dps.list('individual'))], url);
}

function unfinished(what: string): BerthError {
  return new BerthError(
    'BERTH_ENROLLMENTS_UNFINISHED',
    `${what} Keep the old key; the same command goes on where it stopped.`,
  );
}

function sayFarewell(terminal: Terminal, url: string, oldKeyName: string | undefined): void {
  const { hostname, pathname } = new URL(url);
  const app = hostname.endsWith('.azurewebsites.net') ? (hostname.split('.', 1)[0] ?? '') : 'APP';
  const name = oldKeyName ?? 'OLD_KEY_NAME';
  say(terminal, 'The old key may be deleted now, unless something else uses it:');
  say(
    terminal,
    pathname === '/api/allocate'
      ? `  az functionapp function keys delete --resource-group RESOURCE_GROUP --name ${app} --function-name allocateDevice --key-name ${name}`
      : `  az functionapp keys delete --resource-group RESOURCE_GROUP --name ${app} --key-type functionKeys --key-name ${name}`,
  );
  say(
    terminal,
    'Where it is a key of the whole app: az functionapp keys delete --key-type functionKeys, with the same names.',
  );
}
