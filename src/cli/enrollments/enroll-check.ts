import { checkWebhookKey } from '../../dps/webhook-check.ts';
import { addressesOf, type Webhook, webhooksOf } from '../../enroll/webhooks.ts';
import { BerthError, type ErrorCode } from '../../errors.ts';
import type { Environment } from '../../settings/settings.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT } from '../shell/inputs.ts';
import { plural, say, sayJson, tell } from '../shell/terminal.ts';
import { webhookKey } from './enroll-plan.ts';
import { FROM_ENROLLMENTS_FILE, readEnrollmentsFile } from './enrollments-file.ts';

const INPUTS = { ...FROM_ENROLLMENTS_FILE, ...JSON_OUTPUT };

/** One address that was called with the key of a URL. */
interface KeyCheck {
  /** The URL that DPS calls. */
  readonly url: string;
  /** The called address: the URL itself, or its path at an app behind it. */
  readonly address: string;
  readonly accepted: boolean;
  readonly problem?: { readonly code: ErrorCode; readonly message: string };
}

/**
 * `berth enroll check`: calls each webhook URL, and each app behind it, with the key of the URL and a request that
 * Berth refuses without any effect. It does not call DPS, which masks the keys that it has.
 */
export function registerEnrollCheck(enroll: CommandGroup): void {
  enroll.command({
    name: 'check',
    description:
      'call each app behind each webhook URL with the key of the URL; changes nothing, needs no DPS',
    inputs: INPUTS,
    example: 'berth enroll check',
    changes: false,
    run: checkKeys,
  });
}

async function checkKeys({ terminal, env }: Cli, { file, json }: Given<typeof INPUTS>): Promise<number> {
  const webhooks = webhooksOf(readEnrollmentsFile(file));
  requireKeys(webhooks, env);
  const checks: KeyCheck[] = [];
  for (const webhook of webhooks) {
    const key = webhookKey(webhook, env) ?? '';
    checks.push(
      ...(await Promise.all(addressesOf(webhook).map((address) => checkKey(webhook.url, address, key)))),
    );
  }
  if (json) sayJson(terminal, { checks });
  else
    for (const { address, problem } of checks)
      say(terminal, `${problem === undefined ? 'accepted' : 'problem '}  ${problem?.message ?? address}`);
  tell(
    terminal,
    'DPS masks the keys of its enrollments, so Berth cannot see which key DPS has. Run "berth enroll rotate-key" with this key to write it to every enrollment.',
  );
  const problems = checks.flatMap(({ problem }) => problem ?? []);
  if (problems.length === 0) return 0;
  throw new BerthError(
    problems.find(({ code }) => code === 'BERTH_WEBHOOK_KEY_REFUSED')?.code ?? 'BERTH_WEBHOOK_UNREACHABLE',
    `${plural(problems.length, 'address', 'addresses')} of ${checks.length} did not accept the key of the URL. Give each app behind a URL the same key, see "Function keys" in docs/enrollments.md.`,
    {
      details: checks.flatMap(({ address, problem }) =>
        problem === undefined ? [] : { path: address, message: problem.message },
      ),
    },
  );
}

function requireKeys(webhooks: readonly Webhook[], env: Environment): void {
  const missing = webhooks.filter((webhook) => webhookKey(webhook, env) === undefined);
  const [first] = missing;
  if (first === undefined) return;
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    `${missing.map(({ keyFrom }) => keyFrom).join(', ')} ${missing.length === 1 ? 'is not set: set it' : 'are not set: set each'} to the function key of its URL, such as ${first.url}. See "Function keys" in docs/enrollments.md.`,
  );
}

async function checkKey(url: string, address: string, key: string): Promise<KeyCheck> {
  try {
    await checkWebhookKey(address, key);
    return { url, address, accepted: true };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const { code, message } = error;
    return { url, address, accepted: false, problem: { code, message } };
  }
}
