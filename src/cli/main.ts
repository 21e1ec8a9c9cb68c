import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { BerthError } from '../errors.ts';
import { showCounts } from './dead-letters/dead-letter-counts.ts';
import { listDeadLetters } from './dead-letters/dead-letter-list.ts';
import { purgeDeadLetters } from './dead-letters/dead-letter-purge.ts';
import { replayDeadLetters } from './dead-letters/dead-letter-replay.ts';
import { showDeadLetter } from './dead-letters/dead-letter-show.ts';
import { explain } from './devices/explain.ts';
import { exportDevices } from './devices/export.ts';
import { applyEnroll, planEnroll } from './enrollments/enroll.ts';
import { uploadCertificate, verifyCertificate } from './enrollments/enroll-certificate.ts';
import { rotateKey } from './enrollments/enroll-rotate.ts';
import { validateEnrollments } from './enrollments/enroll-validate.ts';
import { validate } from './fleet/validate.ts';
import { hubs } from './hubs/hubs.ts';
import { clearOverride, setOverride } from './hubs/override.ts';
import { resyncHub } from './hubs/resync.ts';
import { pause } from './policies/pause.ts';
import { policies } from './policies/policies.ts';
import { resume } from './policies/resume.ts';
import type { Cli } from './shell/cli.ts';
import { environmentIn } from './shell/environment.ts';
import { tell } from './shell/terminal.ts';
import { answerWhatIf } from './what-if/what-if-question.ts';
import { startWorker } from './what-if/worker-pool.ts';

const FLEET = 'fleet.json';
const ENROLLMENTS = 'enrollments.json';

/** The `berth` command: what operators and CI do with a fleet file and the state of a deployment. */
async function main(): Promise<void> {
  const terminal = { out: process.stdout, err: process.stderr };
  const cli: Cli = { terminal, env: environmentIn(process.cwd(), process.env), now: Date.now };
  endWithReader(process.stdout);
  endWithReader(process.stderr);
  const run =
    <Arguments extends readonly unknown[]>(act: (...given: Arguments) => Promise<number>) =>
    async (...given: Arguments): Promise<void> => {
      try {
        process.exitCode = await act(...given);
      } catch (error) {
        if (!(error instanceof BerthError)) throw error;
        tell(terminal, `${error.message} [${error.code}]`);
        for (const { path, message } of error.details) tell(terminal, `  ${path || 'it'} ${message}`);
        process.exitCode = 1;
      }
    };

  const berth = new Command('berth')
    .description('Gives every Azure IoT device its hub. Commands for operators and for CI.')
    .addHelpText(
      'after',
      '\nThe state tables are those of BERTH_STATE or AzureWebJobsStorage (or their __tableServiceUri), from the environment or local.settings.json.\nExit codes: 0 fine, 1 not.',
    );

  berth
    .command('hubs')
    .description('every hub: state, weight, devices, health, and what operators have set or paused')
    .option('--json', 'as JSON', false)
    .action(run((options: { readonly json: boolean }) => hubs(cli, options)));

  const hub = berth.command('hub').description('override what the fleet file says of a hub');
  hub
    .command('set')
    .description('set another state or weight, until it expires; in effect within a minute')
    .argument('<host>', 'such as contoso-weu.azure-devices.net')
    .option(
      '--state <state>',
      'active, cordoned (no new devices) or draining (devices move when they register again)',
    )
    .option('--weight <number>', 'its share of new devices')
    .requiredOption('--reason <text>', 'why, for whoever finds it')
    .requiredOption('--expires <time>', 'a duration (30m, 8h, 2d) or a time (2026-11-30T18:00Z)')
    .action(
      run((host: string, options: Parameters<typeof setOverride>[2]) => setOverride(cli, host, options)),
    );
  hub
    .command('clear')
    .description('go back to what the fleet file says')
    .argument('<host>')
    .action(run((host: string) => clearOverride(cli, host)));

  berth
    .command('policies')
    .description('every policy: how far its ramp is, how devices take it, and what is paused')
    .option('--json', 'as JSON', false)
    .action(run((options: { readonly json: boolean }) => policies(cli, options)));

  berth
    .command('pause')
    .description('write nothing, to the fleet, to a hub or by a policy, until it is resumed')
    .option('--hub <host>', 'only to this hub')
    .option('--policy <name>', 'only by this policy')
    .requiredOption('--reason <text>', 'why, for whoever finds it')
    .option('--fleet <file>', 'the fleet file that the functions run', FLEET)
    .action(run((options: Parameters<typeof pause>[1]) => pause(cli, options)));
  berth
    .command('resume')
    .description('end a pause, also of a policy that paused itself')
    .option('--hub <host>', 'the pause of this hub')
    .option('--policy <name>', 'the pause of this policy')
    .requiredOption('--reason <text>', 'why, for whoever asks later')
    .option('--fleet <file>', 'the fleet file that the functions run', FLEET)
    .action(run((options: Parameters<typeof resume>[1]) => resume(cli, options)));
  berth
    .command('resync')
    .description('read every twin of a hub again, as after a failover, and trust its events again')
    .requiredOption('--hub <host>', 'such as contoso-weu.azure-devices.net')
    .requiredOption('--reason <text>', 'why, for whoever asks later')
    .option('--fleet <file>', 'the fleet file that the functions run', FLEET)
    .action(run((options: Parameters<typeof resyncHub>[1]) => resyncHub(cli, options)));

  const letters = berth.command('dead-letters').description('events that could not be read');
  letters
    .command('list')
    .description('one line each, the newest first')
    .option('--since <time>', 'a duration back from now or a time (default: 7d)')
    .option('--until <time>', 'as --since, not included')
    .option('--code <code>', 'such as BERTH_EVENT_NOT_JSON')
    .option('--hub <name>', 'the hub that the event says it is from')
    .option('--limit <n>', 'how many (default: 50)')
    .option('--json', 'as JSON', false)
    .action(run((options: Parameters<typeof listDeadLetters>[1]) => listDeadLetters(cli, options)));
  letters
    .command('counts')
    .description('events of which only the number is kept: beyond the cap, of unknown kinds, of unknown hubs')
    .option('--since <time>', 'of those beyond the cap: a duration back from now or a time (default: 7d)')
    .option('--json', 'as JSON', false)
    .action(run((options: Parameters<typeof showCounts>[1]) => showCounts(cli, options)));
  letters
    .command('show')
    .description('all that is kept of one')
    .argument('<id>', 'such as 2026-11-25/3/1234')
    .option('--json', 'as JSON', false)
    .option('--body', 'only the body, byte for byte', false)
    .action(
      run((id: string, options: Parameters<typeof showDeadLetter>[2]) => showDeadLetter(cli, id, options)),
    );
  letters
    .command('replay')
    .description('decode again, mark the twins for a read, and delete what could be decoded')
    .argument('[ids...]')
    .option('--all', 'all, or those that the other options choose', false)
    .option('--since <time>', 'with --all: a duration back from now or a time')
    .option('--until <time>', 'with --all: as --since, not included')
    .option('--code <code>', 'with --all: such as BERTH_DEFECT')
    .option('--hub <name>', 'with --all: the hub that the event says it is from')
    .option('--fleet <file>', 'the fleet file that the functions run', FLEET)
    .action(
      run((ids: readonly string[], options: Parameters<typeof replayDeadLetters>[2]) =>
        replayDeadLetters(cli, ids, options),
      ),
    );
  letters
    .command('purge')
    .description('delete for good')
    .argument('[ids...]')
    .option('--before <time>', 'those older than a duration (30d), or from before a time')
    .option('--all', 'all of them', false)
    .option('--yes', 'also more than one', false)
    .action(
      run((ids: readonly string[], options: Parameters<typeof purgeDeadLetters>[2]) =>
        purgeDeadLetters(cli, ids, options),
      ),
    );

  const enroll = berth
    .command('enroll')
    .description('keep the enrollments of DPS as enrollments.json says: BERTH_DPS or BERTH_DPS__hostName');
  enroll
    .command('plan', { isDefault: true })
    .description('what apply would do, field by field; writes nothing')
    .addOption(new Option('--dry-run', 'so that "berth enroll --dry-run" is the same').hideHelp())
    .option('--file <file>', 'the enrollments file', ENROLLMENTS)
    .option('--json', 'as JSON', false)
    .action(run((options: Parameters<typeof planEnroll>[1]) => planEnroll(cli, options)));
  enroll
    .command('apply')
    .description('create and update what differs, and nothing else')
    .option('--file <file>', 'the enrollments file', ENROLLMENTS)
    .option('--dry-run', 'as plan', false)
    .option('--prune', 'delete what is not in the file', false)
    .option('--yes', 'with --prune: really', false)
    .option('--json', 'as JSON', false)
    .action(run((options: Parameters<typeof applyEnroll>[1]) => applyEnroll(cli, options)));
  enroll
    .command('rotate-key')
    .description('give every enrollment that asks the webhook another function key, in the safe order')
    .requiredOption('--new-key-env <name>', 'environment variable with the new key')
    .option('--file <file>', 'the enrollments file, for its webhook', ENROLLMENTS)
    .option('--webhook <url>', 'another webhook than the one of the file; without a key')
    .option('--old-key-name <name>', 'what the old key is called, for the command that deletes it')
    .option('--progress <file>', 'where it is kept how far it is', '.berth-rotation.json')
    .action(run((options: Parameters<typeof rotateKey>[1]) => rotateKey(cli, options)));
  enroll
    .command('validate')
    .description('check an enrollments file: every problem; asks no DPS and needs no key')
    .argument('[file]', 'the enrollments file', ENROLLMENTS)
    .action(run((file: string) => validateEnrollments(cli, file)));
  const certificate = enroll
    .command('certificate')
    .description('CA certificates of DPS and proof of possession: BERTH_DPS__resourceId');
  certificate
    .command('upload')
    .description('upload a CA certificate, and say how to sign its verification code')
    .argument('<name>', 'what groups call it in caReferences')
    .requiredOption('--file <file>', 'the certificate, PEM')
    .action(
      run((name: string, options: Parameters<typeof uploadCertificate>[2]) =>
        uploadCertificate(cli, name, options),
      ),
    );
  certificate
    .command('verify')
    .description('prove possession with the certificate that was signed')
    .argument('<name>')
    .requiredOption('--file <file>', 'the signed certificate, PEM')
    .action(
      run((name: string, options: Parameters<typeof verifyCertificate>[2]) =>
        verifyCertificate(cli, name, options),
      ),
    );

  berth
    .command('validate')
    .description('check a fleet file: every problem, and what will hurt though it is valid')
    .argument('[file]', 'the fleet file', FLEET)
    .option(
      '--registrations <n>',
      'registrations a minute to be ready for (default: 1000, what one DPS takes)',
    )
    .option('--partitions <n>', 'partitions of the Event Hub (default: TWIN_EVENTS_PARTITIONS, else 4)')
    .option('--strict', 'warnings fail too', false)
    .option('--json', 'as JSON', false)
    .action(run((file: string, options: Parameters<typeof validate>[2]) => validate(cli, file, options)));

  berth
    .command('explain')
    .description('decide offline on a request of DPS, or decide a receipt again, and say why')
    .option('--fleet <file>', 'the fleet file', FLEET)
    .requiredOption('--request <file>', 'a request, or a receipt; - reads it from the standard input')
    .option('--json', 'as JSON', false)
    .action(run((options: Parameters<typeof explain>[1]) => explain(cli, options)));

  berth
    .command('export')
    .description('write the devices that the state tables know, one JSON a line')
    .option('--out <file>', 'where to (default: the standard output)')
    .action(run(({ out }: { readonly out?: string }) => exportDevices(cli, out)));

  const threads = {
    number: availableParallelism(),
    start: (data: Parameters<typeof startWorker>[1]) =>
      startWorker(join(__dirname, 'what-if-worker.cjs'), data),
  };
  berth
    .command('what-if')
    .description(
      'say what another fleet file would do, before it is deployed: where devices would go, or what twins would be written',
    )
    .option('--fleet <file>', 'the fleet file to try', FLEET)
    .option('--against <file>', 'the one to compare with (default: how devices and twins are now)')
    .option(
      '--devices <file|n>',
      'placement of a file of "berth export", or of a number of synthetic devices',
    )
    .option(
      '--payload <json>',
      'with --devices: what synthetic devices send; several take turns',
      collect,
      [],
    )
    .option('--max-moves <n>', 'with --devices: fail where more devices would move')
    .option('--twins', 'the twins that the state tables know', false)
    .option('--max-writes <n>', 'with --twins: fail where more twins would be written')
    .option('--first <n>', 'with --twins: patches that are shown for each policy (default: 5)')
    .option('--json', 'as JSON', false)
    .action(run((options: Parameters<typeof answerWhatIf>[1]) => answerWhatIf(cli, options, threads)));

  await berth.parseAsync();
}

/** A reader that has seen enough, such as `head`, ends the command; a full disk does too, with a sentence. */
function endWithReader(stream: NodeJS.WriteStream): void {
  stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') console.error(`The result cannot be written: ${message}`);
    process.exit(code === 'EPIPE' ? 0 : 1);
  });
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.stack : error);
  process.exit(1);
});
