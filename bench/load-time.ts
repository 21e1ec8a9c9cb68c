import { parseFleet } from '../src/fleet/file/parse.ts';

/** CPU time to load a fleet file, in milliseconds: with a number of leaves, and with twice that number. */
export interface LoadTime {
  readonly file: string;
  readonly ms: number;
  readonly msOfTwice: number;
}

/** Every instance loads the file at its start. Twice as many entries must not take more than about twice the time. */
export function loadTimes(): readonly LoadTime[] {
  const ofLeaves = [
    { policies: 200, leaves: 25, computed: false },
    { policies: 200, leaves: 50, computed: false },
    { policies: 200, leaves: 50, computed: true },
  ].map(({ policies, leaves, computed }) => ({
    file: `${policies} policies of ${leaves} leaves${computed ? ', computed' : ''}`,
    of: (scale: number) => fileOf(policies, scale * leaves, computed),
  }));
  return [
    ...ofLeaves,
    { file: '100 policies', of: (scale: number) => fileOf(100 * scale, 50, false) },
    { file: '800 leaves and redacted paths', of: (scale: number) => redactedFile(800 * scale) },
  ].map(({ file, of }) => ({ file, ms: loadMs(of(1)), msOfTwice: loadMs(of(2)) }));
}

/** Each leaf is compared with the redacted paths. */
function redactedFile(count: number): string {
  const leaves = (value: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`leaf${index}`, value]));
  return JSON.stringify({
    hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
    twins: {
      redact: Array.from({ length: count }, (_, index) => `hidden${index}.a`),
      policies: [{ name: 'p', desired: leaves(1) }],
      initial: [{ name: 'l', desired: leaves('=payload.a') }],
    },
  });
}

function fileOf(policies: number, leaves: number, computed: boolean): string {
  return JSON.stringify({
    hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
    twins: {
      policies: Array.from({ length: policies }, (_, policy) => ({
        name: `p${policy}`,
        when: `tags.group == 'g${policy}'`,
        desired: Object.fromEntries(
          Array.from({ length: leaves }, (__, leaf) => [
            `leaf${leaf}`,
            computed ? `=reported.rate * ${leaf}` : leaf,
          ]),
        ),
      })),
    },
  });
}

/** The median of five measurements. */
function loadMs(text: string): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    const parsed = parseFleet(text);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems[0]));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return times.sort((one, other) => one - other)[2] ?? 0;
}
