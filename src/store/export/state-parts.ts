import * as z from 'zod';
import { CONTROL_FORMAT, type Control } from '../../control/control.ts';
import {
  type DocumentFormat,
  presentFormat,
  type ReadDocument,
  readDocument,
} from '../../json/document-format.ts';
import { isObject, type JsonValue, ownMember, sameJson } from '../../json/json.ts';
import { DISABLED_DEVICE_FORMAT, type DisabledDevice, isOpen } from '../../silent-devices/disabled-device.ts';
import { type EpochMs, laterOf } from '../../time/epoch-ms.ts';
import { CAUSE_FORMAT, CONDITIONS_PARTITION, OVERRIDE_FORMAT } from '../state/conditions-store.ts';
import { CONTROL_PARTITION } from '../state/control.ts';
import { DISABLED_DEVICES_PARTITION } from '../state/disabled-device-store.ts';
import { KEPT_OUT_PARTITION } from '../state/kept-out-devices.ts';
import { KEPT_OUT_FORMAT } from '../state/kept-out-store.ts';
import { LAST_GOOD, LAST_GOOD_FORMAT, REVISION_FORMAT, REVISIONS_PARTITION } from '../state/revisions.ts';
import { packDocument, unpackDocument } from '../tables/document.ts';
import type { Row } from '../tables/tables.ts';

/** Documents of one kind that people made, or that decide what people made: the rows of one place of the state table. */
export interface StatePart {
  /** The name in the export. It must never change. */
  readonly name: string;
  /** One document, for sentences: `fleet file`. */
  readonly one: string;
  /** Several: `fleet files`. */
  readonly many: string;
  readonly partition: string;
  readonly owns: (rowKey: string) => boolean;
  /** The format of the documents that this package writes. */
  readonly format: number;
  /** What an import with `--replace` does with a row that the export does not have. */
  readonly others: 'removed' | 'stay';
  /** Without this document, the rest of the export would do harm: a damaged one ends the export. */
  readonly isVital?: boolean;
  /** The document of a row as JSON, in the present format. */
  readonly open: (row: Row) => ReadDocument<JsonValue>;
  /** A document of an export as JSON, in the present format. */
  readonly read: (format: unknown, document: JsonValue) => ReadDocument<JsonValue>;
  /** The columns of a document in the present format. */
  readonly columns: (document: JsonValue) => Row['properties'];
  /** Whether an imported document says the same as the present one. Default: both are equal. */
  readonly isSame?: (imported: JsonValue, present: JsonValue) => boolean;
  /** What replaces a present document. Default: the imported one. */
  readonly replacing?: (imported: JsonValue, present: JsonValue, now: EpochMs) => JsonValue;
}

/**
 * All parts of an export, in the order in which an import writes them: what keeps Berth from storing or writing comes first. The fleet
 * files come before the control row, because an app that runs reads them as soon as the row names them.
 * A part that is added here is exported and imported. A package that does not know a part refuses the export.
 */
export const STATE_PARTS: readonly StatePart[] = [
  {
    ...packedPart(KEPT_OUT_FORMAT),
    name: 'keptOut',
    one: 'kept-out device',
    many: 'kept-out devices',
    partition: KEPT_OUT_PARTITION,
    owns: () => true,
    others: 'stay',
  },
  {
    ...packedPart(REVISION_FORMAT),
    name: 'revisions',
    one: 'fleet file',
    many: 'fleet files',
    partition: REVISIONS_PARTITION,
    owns: (rowKey) => rowKey !== LAST_GOOD,
    others: 'stay',
  },
  {
    ...packedPart(CONTROL_FORMAT),
    name: 'control',
    one: 'control row',
    many: 'control rows',
    partition: CONTROL_PARTITION,
    owns: (rowKey) => rowKey === 'control',
    others: 'removed',
    isVital: true,
    isSame: (imported, present) => sameEssence(asControl(imported), asControl(present)),
    replacing: (imported, present, now) =>
      asJson(replacingControl(asControl(imported), asControl(present), now)),
  },
  {
    ...plainPart(LAST_GOOD_FORMAT, []),
    name: 'revisionInForce',
    one: 'note of the fleet file in force',
    many: 'notes of the fleet file in force',
    partition: REVISIONS_PARTITION,
    owns: (rowKey) => rowKey === LAST_GOOD,
    others: 'removed',
    // The package of a later build has its own file, and stores it only when it starts.
    isSame: (imported, present) => sameJson(imported, present) || buildOf(present) > buildOf(imported),
  },
  {
    ...plainPart(OVERRIDE_FORMAT, ['expiresAt']),
    name: 'overrides',
    one: 'override of a hub',
    many: 'overrides of hubs',
    partition: CONDITIONS_PARTITION,
    owns: (rowKey) => rowKey.startsWith('override|'),
    others: 'removed',
  },
  {
    ...plainPart(CAUSE_FORMAT, ['since']),
    name: 'firstSeen',
    one: 'first-seen time of a gradual move',
    many: 'first-seen times of gradual moves',
    partition: CONDITIONS_PARTITION,
    owns: (rowKey) => rowKey.startsWith('cause|'),
    others: 'removed',
  },
  {
    ...packedPart(DISABLED_DEVICE_FORMAT),
    name: 'disabledDevices',
    one: 'device disabled by a drain',
    many: 'devices disabled by a drain',
    partition: DISABLED_DEVICES_PARTITION,
    owns: () => true,
    others: 'stay',
    // A present row may be the only record of a device that is disabled now.
    isSame: (imported, present) =>
      sameJson(imported, present) || isOpen(present as unknown as DisabledDevice),
  },
];

type Documents = Pick<StatePart, 'format' | 'open' | 'read' | 'columns'>;

/** Documents that are stored as deflated JSON. */
function packedPart<Value>(format: DocumentFormat<Value>): Documents {
  return documents(format, unpackDocument, packDocument, (document) => document);
}

/** Documents whose members are columns. @param times the members that are points in time. */
function plainPart<Value>(format: DocumentFormat<Value>, times: readonly string[]): Documents {
  const withTimes = (document: JsonValue) => timesIn(document, times);
  return documents(format, (properties) => properties, withTimes, withTimes);
}

function documents<Value>(
  format: DocumentFormat<Value>,
  open: (properties: Row['properties']) => unknown,
  pack: (document: JsonValue) => Row['properties'],
  revive: (document: JsonValue) => unknown,
): Documents {
  const read = (number: unknown, document: () => unknown): ReadDocument<JsonValue> => {
    const found = readDocument(format, number, document);
    return found.kind === 'known' ? { kind: 'known', value: asJson(found.value) } : found;
  };
  return {
    format: presentFormat(format),
    open: ({ properties }) => read(properties.format, () => open(properties)),
    read: (number, document) => read(number, () => revive(document)),
    columns: (document) => ({ format: presentFormat(format), ...pack(document) }),
  };
}

const isoTimes = z.iso.datetime();

function timesIn(document: JsonValue, times: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(document)) throw new TypeError('not an object');
  const dates = times.map((name) => [name, new Date(isoTimes.parse(document[name]))] as const);
  return { ...document, ...Object.fromEntries(dates) };
}

/** A document as JSON: points in time become ISO 8601. */
function asJson(document: unknown): JsonValue {
  return JSON.parse(JSON.stringify(document)) as JsonValue;
}

function buildOf(document: JsonValue): string {
  return String(ownMember(document, 'build'));
}

function asControl(document: JsonValue): Control {
  return document as unknown as Control;
}

/** Equal besides what each start of a package and each import changes. */
function sameEssence(one: Control, other: Control): boolean {
  const essence = (control: Control) => asJson({ ...control, newestBuild: '', generation: 0, changedAt: 0 });
  return sameJson(essence(one), essence(other));
}

/**
 * The imported row, for instances that run with the present one: the newest package stays the newest, and every twin is
 * planned again.
 */
function replacingControl(imported: Control, present: Control, now: EpochMs): Control {
  return {
    ...imported,
    newestBuild: imported.newestBuild > present.newestBuild ? imported.newestBuild : present.newestBuild,
    generation: Math.max(imported.generation, present.generation) + 1,
    changedAt: laterOf(now, present.changedAt),
  };
}
