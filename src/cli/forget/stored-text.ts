import type { HostName } from '../../iot-hub/host-name.ts';
import type { DisabledDevice } from '../../silent-devices/disabled-device.ts';
import { STATE_PARTS } from '../../store/export/state-parts.ts';
import { type DeviceRow, ROW_KINDS, type RowKind } from '../../store/twins/twin-eraser.ts';
import { EPOCH } from '../../time/epoch-ms.ts';
import type { State } from '../shell/state.ts';
import { plural } from '../shell/terminal.ts';

/** All that is stored of a device. */
export interface StoredOfDevice {
  readonly rows: readonly DeviceRow[];
  readonly receipts: number;
  readonly deadLetters: number;
  /** Records of `berth hub drain --disable-silent`, one for each hub. */
  readonly disabled: readonly DisabledDevice[];
}

const NAMES: Readonly<Record<RowKind, readonly [one: string, many: string]>> = {
  deviceTwin: ['device twin with its history', 'device twins with their history'],
  moduleTwin: ['module twin with its history', 'module twins with their history'],
  workItem: ['work item', 'work items'],
  attention: ['entry of the attention list', 'entries of the attention list'],
  stub: ['stub of a deleted twin', 'stubs of deleted twins'],
};

export function sumOf({ rows, receipts, deadLetters, disabled }: StoredOfDevice): number {
  return rows.length + receipts + deadLetters + disabled.length;
}

/** One line for each hub, and one for each other kind. Empty: nothing is stored. */
export function rowLines({ rows, receipts, deadLetters, disabled }: StoredOfDevice): readonly string[] {
  const hosts = [...new Set(rows.map(({ host }) => host))];
  return [
    ...hosts.map((host) => `${host}: ${hubText(rows, host)}`),
    ...(receipts === 0 ? [] : [plural(receipts, 'receipt')]),
    ...(deadLetters === 0 ? [] : [plural(deadLetters, 'dead letter')]),
    ...disabled.map(({ host }) => `${host}: a record of "berth hub drain --disable-silent"`),
  ];
}

function hubText(rows: readonly DeviceRow[], host: HostName): string {
  return ROW_KINDS.flatMap((kind) => {
    const number = rows.filter((row) => row.host === host && row.kind === kind).length;
    const [one, many] = NAMES[kind];
    return number === 0 ? [] : [plural(number, one, many)];
  }).join(', ');
}

/** The parts of the state that people made and that hold the id as a whole text, such as a rule of a fleet file. */
export async function partsThatName({ exporter, place }: State, device: string): Promise<readonly string[]> {
  const { exported } = await exporter.export({ now: EPOCH, from: place, stamp: undefined });
  const quoted = [`'${device}'`, JSON.stringify(device), JSON.stringify(JSON.stringify(device)).slice(1, -1)];
  // The command deletes records of disabled devices itself.
  const written = STATE_PARTS.filter(({ name }) => name !== 'disabledDevices');
  return written.flatMap(({ name, one, many }) => {
    const documents = exported.parts[name] ?? [];
    const naming = documents.filter(({ document }) => {
      const text = JSON.stringify(document);
      return quoted.some((each) => text.includes(each));
    });
    return naming.length === 0 ? [] : [plural(naming.length, one, many)];
  });
}

/** What the command cannot delete, and when it goes. @param naming the result of `partsThatName` */
export function undeletableLines(naming: readonly string[]): readonly string[] {
  return [
    'Berth cannot delete:',
    '  log lines that name the device: they go with the retention of the workspace (logRetentionDays of infra/, default 90 days)',
    '  exports of the state, which hold no twins and no receipts, but fleet files, reasons and devices disabled by a drain: versions of the daily export go after exportRetentionDays of infra/ (default 90 days), files of "berth state export" are yours',
    '  receipts and snapshots of other devices that name the device as their parent: receipts go after BERTH_RECEIPT_DAYS (default 30), a snapshot when its device gets another parent or is deleted',
    '  events in the Event Hub: they go with its retention (eventRetentionDays of infra/, at most 7 days)',
    '  the enrollment and the registration record in DPS, and identities in hubs',
    ...(naming.length === 0
      ? []
      : [`  text that people wrote and that names the device: ${naming.join(', ')} in the state tables`]),
  ];
}
