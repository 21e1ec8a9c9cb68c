import { readFileSync } from 'node:fs';
import { bestOf, scoreHubs } from '../../src/allocation/score/placement.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { openTrial } from '../../src/what-if/job.ts';
import { writeKnownDevice } from '../../src/what-if/known-device.ts';
import { tryDevices } from '../../src/what-if/try-devices.ts';
import type { Comparison } from '../measure.ts';
import { storedTwins } from '../stored-twins.ts';

/** Devices in one run of a case. */
const PART = 1_000;
/** Ratio that is wanted of a what-if run to the bare placement of the same ids. */
const GOAL = 3;
const NOW = epochMs(Date.UTC(2026, 10, 25));

/** What `berth what-if` costs for a device or a twin, in one thread. */
export function whatIfCases(): readonly Comparison[] {
  const text = readFileSync('fleet.json', 'utf8');
  const before = text.replace('"weight": 2', '"weight": 3');
  const open = (against: string | undefined, isSynthetic: boolean) =>
    openTrial({ fleet: text, against, payloads: [], isSynthetic }, NOW);
  const [numbered, compared, exported] = [open(undefined, true), open(before, true), open(undefined, false)];
  const hubs = numbered.tried.fleet.hubs.map(({ host, weight }) => ({ host, weight }));
  const { salt } = numbered.tried.fleet.allocation;
  const at = { from: 0 };
  const next = () => {
    at.from = (at.from + PART) % 1_000_000;
    return at.from;
  };
  const bare = () => {
    const from = next();
    for (let number = from; number < from + PART; number += 1)
      bestOf(scoreHubs(deviceOf(number), salt, hubs));
  };
  const lines = Array.from({ length: PART }, (_, number) => exportedLine(number, hubs));
  const twins = storedTwins(NOW);
  return [
    {
      name: 'what-if-devices',
      what: `what-if of ${PART} devices / bare placement of the same ids`,
      subject: () => tryDevices({ kind: 'numbers', from: next(), to: at.from + PART }, numbered),
      baseline: bare,
      goal: GOAL,
    },
    {
      name: 'what-if-against',
      what: 'what-if against another fleet file / bare placement of the same ids',
      subject: () => tryDevices({ kind: 'numbers', from: next(), to: at.from + PART }, compared),
      baseline: bare,
    },
    {
      name: 'what-if-export',
      what: 'what-if of lines of berth export / their JSON.parse',
      subject: () => tryDevices({ kind: 'lines', lines }, exported),
      baseline: () => lines.map((line) => JSON.parse(line)),
    },
    {
      name: 'what-if-twins',
      what: 'what-if of a stored snapshot, 6 policies / reading its row',
      subject: twins.tryNext,
      baseline: twins.readNext,
      showsRate: true,
    },
  ];
}

function deviceOf(number: number): string {
  return `device-${String(number).padStart(7, '0')}`;
}

/** A device whose country and region are those of few groups, as in most fleets. */
function exportedLine(
  number: number,
  hubs: readonly { readonly host: ReturnType<typeof hostName> }[],
): string {
  const registrationId = deviceOf(number);
  const hub = hubs[number % hubs.length]?.host ?? hostName('contoso-weu.azure-devices.net');
  return writeKnownDevice({
    deviceId: registrationId,
    hub,
    inputs: {
      registrationId,
      linkedHubs: hubs.map(({ host }) => host),
      enrollment: {
        kind: 'group',
        id: 'pumps',
        iotEdge: false,
        reprovisionPolicy: 'migrate',
        iotHubs: [],
        initialTwin: 'none',
      },
      attestation: 'x509',
      currentHub: hub,
      currentDeviceId: registrationId,
      read: { 'payload.country': ['DE', 'FR', 'US', 'SG'][number % 4] ?? 'DE' },
      notKept: {},
      latency: { region: ['westeurope', 'eastus', 'southeastasia'][number % 3] ?? 'westeurope' },
    },
  });
}
