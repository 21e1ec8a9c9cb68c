/** The longest name in a line of 80 columns. */
const LONGEST = 13;

/**
 * Short names of the hubs, by host name: the first part of the host name, without the beginning that all of them share. Of
 * `contoso-weu.azure-devices.net` and `contoso-neu.azure-devices.net`: `weu` and `neu`.
 */
export function hubNames(hosts: readonly string[]): ReadonlyMap<string, string> {
  const labels = hosts.map((host) => host.split('.', 1)[0] ?? host);
  const shared = labels.length < 2 ? 0 : sharedWords(labels);
  return new Map(hosts.map((host, index) => [host, cut((labels[index] ?? host).slice(shared))]));
}

/** The length of the shared beginning, which ends with a hyphen. */
function sharedWords([first = '', ...others]: readonly string[]): number {
  let length = 0;
  for (const [index, letter] of [...first].entries()) {
    if (others.some((other) => other[index] !== letter)) break;
    if (letter === '-') length = index + 1;
  }
  return length;
}

function cut(name: string): string {
  return name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
}
