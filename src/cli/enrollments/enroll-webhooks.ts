import { webhooksOf } from '../../enroll/webhooks.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT } from '../shell/inputs.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { FROM_ENROLLMENTS_FILE, readEnrollmentsFile } from './enrollments-file.ts';

const INPUTS = { ...FROM_ENROLLMENTS_FILE, ...JSON_OUTPUT };

/**
 * `berth enroll webhooks`: lists each webhook URL of the file with the name and the variable of its key, and the
 * apps behind it. It needs neither DPS nor keys. The deployment scripts read the lines, so the columns are stable:
 * the URL, the variable, the name of the key, and the apps with spaces between them, separated by tabs.
 */
export function registerEnrollWebhooks(enroll: CommandGroup): void {
  enroll.command({
    name: 'webhooks',
    description:
      'list each webhook URL of the file, its key and the apps behind it; needs neither DPS nor keys',
    inputs: INPUTS,
    example: 'berth enroll webhooks --json',
    changes: false,
    run: listWebhooks,
  });
}

async function listWebhooks({ terminal }: Cli, { file, json }: Given<typeof INPUTS>): Promise<number> {
  const webhooks = webhooksOf(readEnrollmentsFile(file));
  if (json) {
    sayJson(terminal, { webhooks });
    return 0;
  }
  for (const { url, keyFrom, keyName, apps } of webhooks) {
    say(terminal, [url, keyFrom, keyName, apps.join(' ')].join('\t'));
  }
  return 0;
}
