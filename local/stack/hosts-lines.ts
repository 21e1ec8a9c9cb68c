import { lookup } from 'node:dns/promises';

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1']);
/** Long lines are cut by Windows after nine names. */
const NAMES_A_LINE = 8;

/**
 * What the operator still has to do so that programs reach the local stack by the names of Azure: the lines of the hosts
 * file that are missing, or one sentence if none is.
 *
 * @param names the host names of the hubs and of DPS
 */
export async function standardNames(
  names: readonly string[],
  addressOf: (name: string) => Promise<string | undefined> = resolved,
): Promise<readonly string[]> {
  const unique = [...new Set(names)].filter((name) => name.includes('.azure-devices'));
  const addresses = await Promise.all(unique.map(addressOf));
  const missing = unique.filter((_, index) => !LOOPBACK.has(addresses[index] ?? ''));
  if (missing.length === 0) return ['         All names of the hubs and of DPS lead to this machine.'];
  const file = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts';
  return [
    `         Add these lines to ${file}, so that programs reach the stack by the names of Azure:`,
    ...hostsLines(missing),
  ];
}

/** Lines of a hosts file that lead names to this machine. @example '127.0.0.1 contoso-weu.azure-devices.net' */
export function hostsLines(names: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (let start = 0; start < names.length; start += NAMES_A_LINE)
    lines.push(`127.0.0.1 ${names.slice(start, start + NAMES_A_LINE).join(' ')}`);
  return lines;
}

async function resolved(name: string): Promise<string | undefined> {
  // An unknown name, or no network.
  return (await lookup(name).catch(() => undefined))?.address;
}
