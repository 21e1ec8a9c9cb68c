import { describe, expect, test } from '@jest/globals';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { type Plan, plan } from '../../src/twin/plan/plan.ts';
import { NO_HISTORY, type PathHistory } from '../../src/twin/snapshot/snapshot.ts';
import { at, fleetOf, ID, snapshotOf, T0 } from './twins.ts';

/*
 * The specification of twin sync: a twin, the policies, and what Berth does. All rows are planned at the same moment.
 * Times are in seconds before (negative) and after it. The version of Berth's write and the desired version of the twin
 * are 4 unless a row says otherwise.
 */

interface History {
  readonly ours?: number;
  /** When the value last changed or was last written; by itself, when the newest write was. */
  readonly oursAt?: number;
  readonly reportedAt?: number;
  /** What the device reported when the value was written; something else than it reports now, unless a row says it. */
  readonly before?: JsonValue;
  /** Newest first. `by` names a policy of the row; a value that `old: true` wrote belonged to another content of it. */
  readonly writes?: readonly {
    readonly by: string;
    readonly value: JsonValue;
    readonly at: number;
    readonly count?: number;
    readonly old?: true;
  }[];
  readonly foreign?: readonly number[];
  readonly configuration?: string;
  readonly contestedUntil?: number;
  readonly rejected?: readonly { readonly by: string; readonly value: JsonValue }[];
}

interface Given {
  readonly policies: readonly JsonObject[];
  readonly tags?: JsonObject;
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
  readonly desiredVersion?: number;
  /** `unseen`: no policy has owned the path before. */
  readonly paths?: Readonly<Record<string, History | 'unseen'>>;
  readonly module?: string;
  /** What the device has announced; the models of the fleet are `MODELS`. */
  readonly modelId?: string;
  readonly scope?: string;
  readonly fight?: JsonObject;
  readonly life?: Life;
  /** Policies that are held, and until when. */
  readonly held?: Readonly<Record<string, number | 'paused'>>;
}

/** What is known of the device: seconds of its newest sign of life, and of the last question to its hub. */
interface Life {
  readonly lifeAt?: number;
  readonly askedAt?: number;
  readonly asks?: number;
}

interface Expected {
  /** Absent: nothing is written. */
  readonly patch?: JsonObject;
  /** Every owned path: its status; the policy where more than one could own it. */
  readonly is: Readonly<Record<string, string>>;
  /** Seconds; absent: nothing happens until the next event. */
  readonly next?: number;
  /** When the hub is asked whether the device is alive, in seconds. */
  readonly ask?: number;
  readonly why?: string;
}

type Row = readonly [name: string, given: Given, expected: Expected];

const BASE = { name: 'base', desired: { interval: 5 } };
const SAVER = { name: 'saver', when: 'reported.battery < 20', desired: { interval: 60 } };
const LOW = { battery: 10 };
const ack = (value: JsonValue, ac: number, av?: number, ad?: string): JsonObject => ({
  value,
  ac,
  ...(av === undefined ? {} : { av }),
  ...(ad === undefined ? {} : { ad }),
});

const ownership: readonly Row[] = [
  ['without a policy no path is owned', { policies: [], desired: { a: 1 } }, { is: {} }],
  [
    'a policy without a condition matches every twin',
    { policies: [BASE] },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'the first policy that matches owns the path',
    { policies: [SAVER, BASE], reported: LOW },
    { patch: { interval: 60 }, is: { interval: 'drifted by saver' } },
  ],
  [
    'a policy that does not match owns nothing',
    { policies: [SAVER, BASE], reported: { battery: 90 } },
    { patch: { interval: 5 }, is: { interval: 'drifted by base' } },
  ],
  [
    'a policy with an unknown condition owns nothing',
    { policies: [SAVER, BASE] },
    { patch: { interval: 5 }, is: { interval: 'drifted by base' } },
  ],
  [
    'a policy whose condition meets another type owns nothing',
    { policies: [SAVER, BASE], reported: { battery: 'low' } },
    { patch: { interval: 5 }, is: { interval: 'drifted by base' } },
  ],
  [
    'each leaf has its own owner',
    {
      policies: [
        { name: 'a', desired: { net: { dns: 'a' } } },
        { name: 'b', desired: { net: { dns: 'b', ntp: 'b' } } },
      ],
    },
    { patch: { net: { dns: 'a', ntp: 'b' } }, is: { 'net.dns': 'drifted by a', 'net.ntp': 'drifted by b' } },
  ],
  [
    'a path without an owner stays unchanged',
    { policies: [BASE], desired: { interval: 5, mine: 1 }, reported: { interval: 5 } },
    { is: { interval: 'inSync' } },
  ],
  ['a policy for devices does not change modules', { policies: [BASE], module: 'collector' }, { is: {} }],
  [
    'a policy for a module does not change the device',
    { policies: [{ name: 'm', target: 'module:collector', desired: { level: 1 } }] },
    { is: {} },
  ],
  [
    'a policy for a module owns paths in its module',
    { policies: [{ name: 'm', target: 'module:collector', desired: { level: 1 } }], module: 'collector' },
    { patch: { level: 1 }, is: { level: 'drifted' } },
  ],
  [
    'a policy for a module does not change other modules',
    { policies: [{ name: 'm', target: 'module:collector', desired: { level: 1 } }], module: 'other' },
    { is: {} },
  ],
  [
    'no path is owned outside the scope',
    { policies: [BASE], tags: { unmanaged: true }, scope: "!('unmanaged' in tags)" },
    { is: {} },
  ],
  [
    'all paths are owned as usual inside the scope',
    { policies: [BASE], tags: {}, scope: "!('unmanaged' in tags)" },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a twin with an unknown scope is outside the scope',
    { policies: [BASE], scope: "tags.managed == 'yes'" },
    { is: {} },
  ],
];

const values: readonly Row[] = [
  [
    'a value may be computed from properties of the hub',
    { policies: [{ name: 'p', desired: { site: '=hub.labels.site' } }] },
    { patch: { site: 'ams' }, is: { site: 'drifted' } },
  ],
  [
    'a value may be computed from reported properties',
    { policies: [{ name: 'p', desired: { half: '=reported.rate / 2' } }], reported: { rate: 9 } },
    { patch: { half: 4.5 }, is: { half: 'drifted' } },
  ],
  [
    'a value may be computed from tags',
    { policies: [{ name: 'p', desired: { name: "='pump in ' + tags.city" } }], tags: { city: 'Zürich' } },
    { patch: { name: 'pump in Zürich' }, is: { name: 'drifted' } },
  ],
  [
    'an unknown value leaves its path out',
    { policies: [{ name: 'p', desired: { a: '=reported.nothing', b: 1 } }] },
    { patch: { b: 1 }, is: { b: 'drifted' } },
  ],
  [
    'a path with an unknown value belongs to the next policy that sets it',
    {
      policies: [
        { name: 'p', desired: { a: '=reported.nothing' } },
        { name: 'q', desired: { a: 1 } },
      ],
    },
    { patch: { a: 1 }, is: { a: 'drifted by q' } },
  ],
  [
    'a computed object is not a leaf',
    { policies: [{ name: 'p', desired: { a: '=reported.o' } }], reported: { o: { x: 1 } } },
    { is: {} },
  ],
  [
    'a computed value may be a list',
    { policies: [{ name: 'p', desired: { a: '=tags.list' } }], tags: { list: [1, 2] } },
    { patch: { a: [1, 2] }, is: { a: 'drifted' } },
  ],
  [
    'a text that begins with = is written with ==',
    { policies: [{ name: 'p', desired: { a: '==x' } }] },
    { patch: { a: '=x' }, is: { a: 'drifted' } },
  ],
  [
    'null means that the property must be absent',
    { policies: [{ name: 'p', desired: { old: null } }], desired: { old: 1 } },
    { patch: { old: null }, is: { old: 'drifted' } },
  ],
  [
    'null causes no write when the property is absent',
    { policies: [{ name: 'p', desired: { old: null } }] },
    { is: { old: 'inSync' } },
  ],
  [
    'a list is replaced as a whole',
    { policies: [{ name: 'p', desired: { list: [1, 2] } }], desired: { list: [1] } },
    { patch: { list: [1, 2] }, is: { list: 'drifted' } },
  ],
  [
    'the same number in another form is the same value',
    { policies: [{ name: 'p', desired: { a: 1.0 } }], desired: { a: 1 }, reported: { a: 1 } },
    { is: { a: 'inSync' } },
  ],
  [
    'a value of another type is another value',
    { policies: [BASE], desired: { interval: '5' } },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a value that no twin can hold is never sent',
    {
      policies: [{ name: 'p', desired: { a: '=tags.long + tags.long' } }],
      tags: { long: 'x'.repeat(3_000) },
    },
    { is: { a: 'rejected' }, why: 'a cannot be written: a is a string over 4 KB' },
  ],
  [
    'a value that makes the twin too large is never sent',
    {
      policies: [{ name: 'p', desired: { a: '=tags.long' } }],
      tags: { long: 'x'.repeat(3_000) },
      desired: { full: Array.from({ length: 8 }, () => 'y'.repeat(4_000)) },
    },
    {
      is: { a: 'rejected' },
      why: 'a cannot be written: desired takes 35005 bytes; IoT Hub allows 32768 for desired',
    },
  ],
  [
    'the patch contains only the values that differ',
    {
      policies: [{ name: 'p', desired: { a: 1, b: { c: 2, d: 3 }, gone: null } }],
      desired: { a: 1, b: { c: 9, d: 3 }, gone: 'x' },
      reported: { a: 1, b: { d: 3 } },
    },
    {
      patch: { b: { c: 2 }, gone: null },
      is: { a: 'inSync', 'b.c': 'drifted', 'b.d': 'inSync', gone: 'drifted' },
    },
  ],
  [
    'a value without room is written when there is room again',
    { policies: [{ name: 'p', desired: { text: 'y'.repeat(1_000) } }], desired: { k: 1 } },
    { patch: { text: 'y'.repeat(1_000) }, is: { text: 'drifted' } },
  ],
  [
    'the removals of a patch make room for its additions',
    {
      policies: [{ name: 'p', desired: { text: 'y'.repeat(1_000), k0: null } }],
      desired: Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, 'x'.repeat(4_090)])),
    },
    { patch: { text: 'y'.repeat(1_000), k0: null }, is: { text: 'drifted', k0: 'drifted' } },
  ],
  [
    'the first values are written when not all values fit',
    {
      policies: [{ name: 'p', desired: { a: 'y'.repeat(4_000), b: 'z'.repeat(4_000) } }],
      desired: Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`k${index}`, 'x'.repeat(4_090)])),
    },
    { patch: { a: 'y'.repeat(4_000) }, is: { a: 'drifted', b: 'rejected' } },
  ],
  [
    'a value that is computed from a redacted one is left out',
    {
      policies: [{ name: 'p', desired: { copy: '=reported.wifi.psk' } }],
      reported: { wifi: { psk: `redacted:${'0123456789ab'.repeat(2)}` } },
    },
    { is: {} },
  ],
  [
    'a value that contains a redacted one in its middle is left out',
    {
      policies: [{ name: 'p', desired: { label: "='id-' + reported.wifi.psk" } }],
      reported: { wifi: { psk: `redacted:${'0123456789ab'.repeat(2)}` } },
    },
    { is: {} },
  ],
];

const echoes: readonly Row[] = [
  [
    'a wanted value without a report is pending and costs nothing',
    { policies: [BASE], desired: { interval: 5 } },
    { is: { interval: 'pending' }, why: 'interval has not been reported yet' },
  ],
  [
    'a wanted value that needs no report is in sync',
    { policies: [{ ...BASE, confirm: false }], desired: { interval: 5 } },
    { is: { interval: 'inSync' } },
  ],
  [
    'an echoed value is in sync',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: 5 } },
    { is: { interval: 'inSync' } },
  ],
  [
    'a report within the tolerance is in sync',
    { policies: [{ ...BASE, tolerance: 0.5 }], desired: { interval: 5 }, reported: { interval: 5.4 } },
    { is: { interval: 'inSync' } },
  ],
  [
    'a report beyond the tolerance is not in sync',
    { policies: [{ ...BASE, tolerance: 0.5 }], desired: { interval: 5 }, reported: { interval: 5.6 } },
    { is: { interval: 'pending' } },
  ],
  [
    'the tolerance applies to reports and not to desired',
    { policies: [{ ...BASE, tolerance: 0.5 }], desired: { interval: 5.4 } },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'the tolerance applies inside lists',
    {
      policies: [{ name: 'p', desired: { l: [1, 2] }, tolerance: 0.1 }],
      desired: { l: [1, 2] },
      reported: { l: [1.05, 2] },
    },
    { is: { l: 'inSync' } },
  ],
  [
    'a different report from before the write does not count, because the device has not seen the value',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -100, writes: [{ by: 'base', value: 5, at: -50 }] } },
    },
    { is: { interval: 'pending' }, ask: 550 },
  ],
  [
    'a different report after the write causes another write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -10, writes: [{ by: 'base', value: 5, at: -50 }] } },
    },
    {
      patch: { interval: 5 },
      is: { interval: 'pending' },
      why: 'interval the device reports another value; Berth writes it again',
    },
  ],
  [
    'the next write waits for the end of the cooldown',
    {
      policies: [{ ...BASE, cooldown: '1m' }],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -10, writes: [{ by: 'base', value: 5, at: -50 }] } },
    },
    { is: { interval: 'pending' }, next: 10 },
  ],
  [
    'the number of writes is limited by `attempts`',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -10, writes: [{ by: 'base', value: 5, at: -50, count: 3 }] } },
    },
    {
      is: { interval: 'rejected' },
      why: 'interval the device reports another value; Berth wrote it 3 times',
    },
  ],
  [
    'attempts: 1 allows one write',
    {
      policies: [{ ...BASE, attempts: 1 }],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -10, writes: [{ by: 'base', value: 5, at: -50 }] } },
    },
    { is: { interval: 'rejected' } },
  ],
  [
    'a different report from before another writer set the value does not count',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: {
        interval: { reportedAt: -10, oursAt: -5, writes: [{ by: 'base', value: 5, at: -50, count: 3 }] },
      },
    },
    { is: { interval: 'pending' }, ask: 595 },
  ],
  [
    'a different report after another writer set the value causes a write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -5, oursAt: -10 } },
    },
    { patch: { interval: 5 }, is: { interval: 'pending' } },
  ],
  [
    'a different report without any write is pending',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 9 },
      paths: { interval: { reportedAt: -10 } },
    },
    { is: { interval: 'pending' } },
  ],
];

const acknowledgements: readonly Row[] = [
  [
    '200 with the value is in sync',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(5, 200, 4) } },
    { is: { interval: 'inSync' } },
  ],
  [
    '203 with the value that the device had from the start is in sync',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(5, 203, 0) } },
    { is: { interval: 'inSync' } },
  ],
  [
    '200 with the value and an old version is in sync, because a portal edit only raises versions',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(5, 200, 2) }, desiredVersion: 9 },
    { is: { interval: 'inSync' } },
  ],
  [
    '400 with the value and an old version is in sync',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(5, 400, 2) } },
    { is: { interval: 'inSync' } },
  ],
  [
    '200 with the value and no version is in sync',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(5, 200) } },
    { is: { interval: 'inSync' } },
  ],
  [
    'an answer to an earlier version does not count',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 200, 3) } },
    { is: { interval: 'pending' }, why: 'interval the device has answered version 3, and not yet version 4' },
  ],
  [
    'an answer to a version that the twin never had does not count',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 200, 12) } },
    { is: { interval: 'pending' } },
  ],
  [
    '202 means in progress until the deadline',
    {
      policies: [{ ...BASE, deadline: '10m' }],
      desired: { interval: 5 },
      reported: { interval: ack(9, 202, 4) },
      paths: { interval: { reportedAt: -60 } },
    },
    { is: { interval: 'pending' }, next: 540 },
  ],
  [
    '202 with the value still means in progress',
    {
      policies: [{ ...BASE, deadline: '10m' }],
      desired: { interval: 5 },
      reported: { interval: ack(5, 202, 4) },
      paths: { interval: { reportedAt: -60 } },
    },
    { is: { interval: 'pending' }, next: 540 },
  ],
  [
    '202 after the deadline is an error',
    {
      policies: [{ ...BASE, deadline: '10m' }],
      desired: { interval: 5 },
      reported: { interval: ack(9, 202, 4) },
      paths: { interval: { reportedAt: -600 } },
    },
    { is: { interval: 'rejected' } },
  ],
  [
    '400 is a rejection with the device’s reason',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 400, 4, 'too fast') } },
    { is: { interval: 'rejected' }, why: 'interval the device answered 400: too fast' },
  ],
  [
    '400 without a version from before the write is about an earlier value',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 400) },
      paths: { interval: { reportedAt: -20, writes: [{ by: 'base', value: 5, at: -10 }] } },
    },
    { is: { interval: 'pending' }, ask: 590 },
  ],
  [
    '400 without a version, after the write and with a new value, is an answer',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 400) },
      paths: { interval: { before: 8, reportedAt: -5, writes: [{ by: 'base', value: 5, at: -10 }] } },
    },
    { is: { interval: 'rejected' } },
  ],
  [
    '400 without a version and with the earlier value is an answer after a minute',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 400) },
      paths: { interval: { before: 9, reportedAt: -5, writes: [{ by: 'base', value: 5, at: -10 }] } },
      life: { lifeAt: -5 },
    },
    { is: { interval: 'pending' }, next: 50 },
  ],
  [
    '400 without a version and with the earlier value is a rejection a minute after the write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 400) },
      paths: { interval: { before: 9, reportedAt: -55, writes: [{ by: 'base', value: 5, at: -60 }] } },
      life: { lifeAt: -55 },
    },
    { is: { interval: 'rejected' }, why: 'interval the device answered 400' },
  ],
  [
    '200 without a version from before the write is pending',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 200) },
      paths: { interval: { before: 9, reportedAt: -20, writes: [{ by: 'base', value: 5, at: -10 }] } },
    },
    { is: { interval: 'pending' }, ask: 590 },
  ],
  [
    '200 without a version and with another value causes another write, as an echo does',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(7, 200) },
      paths: { interval: { before: 9, reportedAt: -5, writes: [{ by: 'base', value: 5, at: -10 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'pending' } },
  ],
  [
    '500 without a version from before the write uses no attempt',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 500) },
      paths: { interval: { reportedAt: -70, writes: [{ by: 'base', value: 5, at: -65, count: 2 }] } },
    },
    { is: { interval: 'pending' }, ask: 535 },
  ],
  [
    '200 with another value is the choice of the device',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 200, 4) } },
    { is: { interval: 'rejected' } },
  ],
  [
    '200 with a value within the tolerance is in sync',
    {
      policies: [{ ...BASE, tolerance: 1 }],
      desired: { interval: 5 },
      reported: { interval: ack(5.5, 200, 4) },
    },
    { is: { interval: 'inSync' } },
  ],
  [
    '203 with another value at the written version is the choice of the device',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 203, 4) } },
    { is: { interval: 'rejected' }, why: 'interval the device answered 203 with another value' },
  ],
  [
    '203 with another value of an earlier version is not an answer',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 203, 0) } },
    { is: { interval: 'pending' } },
  ],
  [
    '500 without a write by Berth causes a write',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 500, 4) } },
    { patch: { interval: 5 }, is: { interval: 'pending' } },
  ],
  [
    '500 within the cooldown waits',
    {
      policies: [{ ...BASE, cooldown: '1m' }],
      desired: { interval: 5 },
      reported: { interval: ack(9, 500, 4) },
      paths: { interval: { writes: [{ by: 'base', value: 5, at: -20 }] } },
    },
    { is: { interval: 'pending' }, next: 40 },
  ],
  [
    '500 after the last attempt is a rejection',
    {
      policies: [{ ...BASE, attempts: 2 }],
      desired: { interval: 5 },
      reported: { interval: ack(9, 503, 4) },
      paths: { interval: { writes: [{ by: 'base', value: 5, at: -20, count: 2 }] } },
    },
    { is: { interval: 'rejected' }, why: 'interval the device answered 503; Berth wrote it 2 times' },
  ],
  [
    'an unknown code is pending',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: ack(9, 301, 4) } },
    { is: { interval: 'pending' } },
  ],
  [
    'an object with an `ac` that is not a number is a plain value',
    { policies: [BASE], desired: { interval: 5 }, reported: { interval: { value: 5, ac: 'ok' } } },
    { is: { interval: 'pending' } },
  ],
];

/** Desired properties of so many bytes. */
function filler(bytes: number): JsonObject {
  const whole = Math.floor(bytes / 4_001);
  const rest = bytes - whole * 4_001;
  const parts = Array.from({ length: whole }, (_, index) => [
    String.fromCharCode(65 + index),
    'x'.repeat(4_000),
  ]);
  return { ...Object.fromEntries(parts), ...(rest > 0 ? { z: 'x'.repeat(rest - 1) } : {}) };
}

const CONTROLLER = 'dtmi:com:example:TemperatureController;1';
const MODELS = { [CONTROLLER]: ['t1', 't2'] };
const TARGET = { name: 'p', desired: { t1: { target: 21 } } };
const WRITTEN_AGAIN = 't1.target was written without the marker of the component t1; Berth writes it again';

const components: readonly Row[] = [
  [
    'a property of a component is acknowledged inside the component',
    {
      policies: [{ name: 'p', desired: { t1: { __t: 'c', target: 21 } } }],
      desired: { t1: { __t: 'c', target: 21 } },
      reported: { t1: { __t: 'c', target: ack(21, 200, 4) } },
    },
    { is: { 't1.__t': 'inSync', 't1.target': 'inSync' } },
  ],
  [
    'the marker needs no report of its own',
    { policies: [{ name: 'p', desired: { t1: { __t: 'c' } } }], desired: { t1: { __t: 'c' } } },
    { is: { 't1.__t': 'inSync' } },
  ],
  [
    'the marker is written with the component',
    { policies: [{ name: 'p', desired: { t1: { __t: 'c', target: 21 } } }] },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.__t': 'drifted', 't1.target': 'drifted' } },
  ],
  [
    'the marker is added to a patch when the device reports it',
    {
      policies: [{ name: 'p', desired: { t1: { target: 21 } } }],
      reported: { t1: { __t: 'c', target: ack(18, 203, 0) } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'the marker is sent even if the twin has it, because a device reads it in each message',
    {
      policies: [TARGET],
      desired: { t1: { __t: 'c', target: 18 } },
      reported: { t1: { __t: 'c', target: ack(18, 200, 4) } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'a component that only desired shows is a component',
    { policies: [TARGET], desired: { t1: { __t: 'c', target: 18 } } },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'a policy sends its marker even if the twin has it',
    {
      policies: [{ name: 'p', desired: { t1: { __t: 'c', target: 21 } } }],
      desired: { t1: { __t: 'c', target: 31 } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.__t': 'inSync', 't1.target': 'drifted' } },
  ],
  [
    'the marker of one policy applies to all policies',
    {
      policies: [TARGET, { name: 'marks', desired: { t1: { __t: 'c' } } }],
      desired: { t1: { __t: 'c', target: 31 } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.__t': 'inSync', 't1.target': 'drifted' } },
  ],
  [
    'the marker of a policy that does not match has no effect',
    { policies: [TARGET, { name: 'marks', when: 'false', desired: { t1: { __t: 'c' } } }] },
    { patch: { t1: { target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'the model of the device defines its components',
    { policies: [TARGET], modelId: CONTROLLER },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'the model of the device marks no property of its root',
    { policies: [{ name: 'p', desired: { net: { dns: 'a' }, rate: 1 } }], modelId: CONTROLLER },
    { patch: { net: { dns: 'a' }, rate: 1 }, is: { 'net.dns': 'drifted', rate: 'drifted' } },
  ],
  [
    'a model without a file defines no component',
    { policies: [TARGET], modelId: 'dtmi:com:example:TemperatureController;2' },
    { patch: { t1: { target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'each component has its own marker',
    {
      policies: [{ name: 'p', desired: { t1: { target: 21 }, t2: { target: 22 }, t3: { target: 23 } } }],
      modelId: CONTROLLER,
    },
    {
      patch: { t1: { __t: 'c', target: 21 }, t2: { __t: 'c', target: 22 }, t3: { target: 23 } },
      is: { 't1.target': 'drifted', 't2.target': 'drifted', 't3.target': 'drifted' },
    },
  ],
  [
    'a component has one marker at its top',
    {
      policies: [{ name: 'p', desired: { t1: { fan: { speed: { max: 3 } } } } }],
      reported: { t1: { __t: 'c' } },
    },
    { patch: { t1: { __t: 'c', fan: { speed: { max: 3 } } } }, is: { 't1.fan.speed.max': 'drifted' } },
  ],
  [
    'a removed property of a component is sent with the marker',
    {
      policies: [{ name: 'p', desired: { t1: { target: null } } }],
      desired: { t1: { __t: 'c', target: 18 } },
    },
    { patch: { t1: { __t: 'c', target: null } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'a component that is removed as a whole has no marker',
    { policies: [{ name: 'p', desired: { t1: null } }], desired: { t1: { __t: 'c', target: 18 } } },
    { patch: { t1: null }, is: { t1: 'drifted' } },
  ],
  [
    'a policy that removes the marker says that the object is not a component',
    {
      policies: [{ name: 'p', desired: { t1: { __t: null, target: 21 } } }],
      desired: { t1: { __t: 'c', target: 18 } },
      reported: { t1: { __t: 'c' } },
    },
    { patch: { t1: { __t: null, target: 21 } }, is: { 't1.__t': 'drifted', 't1.target': 'drifted' } },
  ],
  [
    'another value of the marker key is not a marker',
    {
      policies: [TARGET],
      desired: { t1: { __t: 'x', target: 18 } },
      reported: { t1: { __t: 1 } },
    },
    { patch: { t1: { target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'a component of a module is a component too',
    {
      policies: [{ ...TARGET, target: 'module:collector' }],
      module: 'collector',
      reported: { t1: { __t: 'c' } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'a value that onLeave removes from a component is sent with the marker',
    {
      policies: [{ name: 'p', when: 'false', onLeave: 'remove', desired: { t1: { __t: 'c', target: 21 } } }],
      desired: { t1: { __t: 'c', target: 21 } },
      paths: {
        't1.__t': { writes: [{ by: 'p', value: 'c', at: -9 }] },
        't1.target': { writes: [{ by: 'p', value: 21, at: -9 }] },
      },
    },
    { patch: { t1: { __t: 'c', target: null } }, is: { 't1.target': 'drifted' } },
  ],
  [
    'a value is written again when the device reports later that it is in a component',
    {
      policies: [TARGET],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c', target: ack(18, 203, 0) } },
      paths: { 't1.target': { writes: [{ by: 'p', value: 21, at: -9 }] } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'pending' }, why: WRITTEN_AGAIN },
  ],
  [
    'a value is written again when the device has reported another property of the component',
    { policies: [TARGET], desired: { t1: { target: 21 } }, reported: { t1: { __t: 'c', max: 30 } } },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'pending' }, why: WRITTEN_AGAIN },
  ],
  [
    'a value is written again when the model of the device becomes known later',
    { policies: [TARGET], desired: { t1: { target: 21 } }, modelId: CONTROLLER },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'pending' }, why: WRITTEN_AGAIN },
  ],
  [
    'a value is written again when its policy gets the marker later',
    { policies: [{ name: 'p', desired: { t1: { __t: 'c', target: 21 } } }], desired: { t1: { target: 21 } } },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.__t': 'drifted', 't1.target': 'pending' } },
  ],
  [
    'a value is not written again when desired has the marker',
    {
      policies: [TARGET],
      desired: { t1: { __t: 'c', target: 21 } },
      reported: { t1: { __t: 'c', target: ack(18, 203, 0) } },
    },
    { is: { 't1.target': 'pending' } },
  ],
  [
    'a value is not written again forever when other writers remove the marker',
    {
      policies: [TARGET],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c' } },
      paths: { 't1.target': { writes: [{ by: 'p', value: 21, at: -9, count: 4 }] } },
    },
    { is: { 't1.target': 'pending' }, ask: 591 },
  ],
  [
    'a value is not written again to a device that has answered',
    {
      policies: [TARGET],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c', target: ack(18, 202, 4) } },
      paths: { 't1.target': { reportedAt: 0 } },
    },
    { is: { 't1.target': 'pending' }, next: 3_600 },
  ],
  [
    'a value is not written again to a device that reports it',
    { policies: [TARGET], desired: { t1: { target: 21 } }, reported: { t1: { __t: 'c', target: 21 } } },
    { is: { 't1.target': 'inSync' } },
  ],
  [
    'a value is not written again to a device that reports it within the tolerance',
    {
      policies: [{ ...TARGET, tolerance: 1 }],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c', target: 20.5 } },
    },
    { is: { 't1.target': 'inSync' } },
  ],
  [
    'a value that needs no report is written again',
    {
      policies: [{ ...TARGET, confirm: false }],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c', max: 30 } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'pending' } },
  ],
  [
    'a seed is written again',
    {
      policies: [{ ...TARGET, mode: 'seed' }],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c', target: ack(18, 203, 0) } },
      paths: { 't1.target': { writes: [{ by: 'p', value: 21, at: -9 }] } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.target': 'pending' } },
  ],
  [
    'a seed is written again when its policy gets the marker later',
    {
      policies: [{ name: 'p', mode: 'seed', desired: { t1: { __t: 'c', target: 21 } } }],
      desired: { t1: { target: 21 } },
      paths: { 't1.target': { writes: [{ by: 'p', value: 21, at: -9, old: true }] } },
    },
    { patch: { t1: { __t: 'c', target: 21 } }, is: { 't1.__t': 'drifted', 't1.target': 'pending' } },
  ],
  [
    'a seed that other writers have set is not written again',
    {
      policies: [{ ...TARGET, mode: 'seed' }],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c', target: ack(18, 203, 0) } },
    },
    { is: { 't1.target': 'inSync' } },
  ],
  [
    'a refused value is not written again for the marker',
    {
      policies: [TARGET],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c' } },
      paths: { 't1.target': { rejected: [{ by: 'p', value: 21 }] } },
    },
    { is: { 't1.target': 'rejected' } },
  ],
  [
    'a paused policy writes nothing again',
    {
      policies: [TARGET],
      desired: { t1: { target: 21 } },
      reported: { t1: { __t: 'c' } },
      held: { p: 'paused' },
    },
    { is: { 't1.target': 'pending, held' }, why: `${WRITTEN_AGAIN}; paused` },
  ],
  [
    'a marker without room in the twin is not sent',
    {
      policies: [{ name: 'p', desired: { t1: { target: 21 } } }],
      desired: { t1: { a: 'x'.repeat(4_000) }, ...filler(28_749) },
      reported: { t1: { __t: 'c' } },
    },
    { is: { 't1.target': 'rejected' } },
  ],
  [
    'an object that is acknowledged as a whole answers for its members',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a', channel: 6 } } }],
      desired: { wifi: { ssid: 'a', channel: 6 } },
      reported: { wifi: ack({ ssid: 'a', channel: 6 }, 200, 4) },
    },
    { is: { 'wifi.ssid': 'inSync', 'wifi.channel': 'inSync' } },
  ],
  [
    'an acknowledgement of an object may leave members out',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a', channel: 6 } } }],
      desired: { wifi: { ssid: 'a', channel: 6 } },
      reported: { wifi: ack({ ssid: 'a' }, 200, 4) },
    },
    { is: { 'wifi.ssid': 'inSync', 'wifi.channel': 'inSync' } },
  ],
  [
    'an acknowledgement of an object with 202 means in progress for all members',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a', channel: 6 } } }],
      desired: { wifi: { ssid: 'a', channel: 6 } },
      reported: { wifi: ack({ ssid: 'a' }, 202, 4) },
      paths: { 'wifi.channel': { reportedAt: 0 }, 'wifi.ssid': { reportedAt: 0 } },
    },
    { is: { 'wifi.ssid': 'pending', 'wifi.channel': 'pending' }, next: 3_600 },
  ],
  [
    'a rejection of an object rejects its members',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a' } } }],
      desired: { wifi: { ssid: 'a' } },
      reported: { wifi: ack({ ssid: 'b' }, 400, 4, 'no such network') },
    },
    { is: { 'wifi.ssid': 'rejected' }, why: 'wifi.ssid the device answered 400: no such network' },
  ],
  [
    'an object that is acknowledged as a whole is sent as a whole',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a' } } }],
      desired: { wifi: { ssid: 'b', channel: 6 } },
      reported: { wifi: ack({ ssid: 'b', channel: 6 }, 200, 4) },
    },
    { patch: { wifi: { ssid: 'a', channel: 6 } }, is: { 'wifi.ssid': 'drifted' } },
  ],
  [
    'an object that is echoed is not sent as a whole',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a' } } }],
      desired: { wifi: { ssid: 'b', channel: 6 } },
      reported: { wifi: { ssid: 'b', channel: 6 } },
    },
    { patch: { wifi: { ssid: 'a' } }, is: { 'wifi.ssid': 'drifted' } },
  ],
  [
    'a module acknowledges in the same way as a device',
    {
      policies: [{ name: 'm', target: 'module:collector', desired: { level: 1 } }],
      module: 'collector',
      desired: { level: 1 },
      reported: { level: ack(1, 200, 4) },
    },
    { is: { level: 'inSync' } },
  ],
  [
    'an object with a redacted part is not sent as a whole, so the hub keeps its value',
    {
      policies: [{ name: 'p', desired: { wifi: { ssid: 'a' } } }],
      desired: { wifi: { ssid: 'b', psk: `redacted:${'0123456789ab'.repeat(2)}` } },
      reported: { wifi: ack({ ssid: 'b' }, 200, 4) },
    },
    { patch: { wifi: { ssid: 'a' } }, is: { 'wifi.ssid': 'drifted' } },
  ],
];

const rejections: readonly Row[] = [
  [
    'a rejected value is not written again',
    {
      policies: [BASE],
      desired: { interval: 9 },
      reported: { interval: 9 },
      paths: { interval: { rejected: [{ by: 'base', value: 5 }] } },
    },
    { is: { interval: 'rejected' } },
  ],
  [
    'another value than the rejected one is written',
    {
      policies: [BASE],
      desired: { interval: 9 },
      reported: { interval: 9 },
      paths: { interval: { rejected: [{ by: 'base', value: 6 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a rejected value is written for another policy',
    {
      policies: [BASE],
      desired: { interval: 9 },
      paths: { interval: { rejected: [{ by: 'other', value: 5 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a rejection ends when the device reports the value',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 5 },
      paths: { interval: { rejected: [{ by: 'base', value: 5 }] } },
    },
    { is: { interval: 'inSync' } },
  ],
  [
    'a rejection stays when the device refuses the value and still has it',
    {
      policies: [BASE],
      desired: { interval: 9 },
      reported: { interval: ack(5, 400, 3) },
      paths: { interval: { rejected: [{ by: 'base', value: 5 }] } },
    },
    { is: { interval: 'rejected' } },
  ],
  [
    'an answer from before Berth owned the path is not a rejection',
    {
      policies: [BASE],
      desired: { interval: 5 },
      desiredVersion: 5,
      reported: { interval: ack(9, 200, 3) },
      paths: { interval: 'unseen' },
    },
    { is: { interval: 'pending' }, ask: 600 },
  ],
  [
    'policies that alternate do not repeat their rejected values',
    {
      policies: [SAVER, BASE],
      reported: { battery: 10, interval: 9 },
      desired: { interval: 5 },
      paths: {
        interval: {
          rejected: [
            { by: 'base', value: 5 },
            { by: 'saver', value: 60 },
          ],
        },
      },
    },
    { is: { interval: 'rejected by saver' } },
  ],
  [
    'a rejected path does not delay other paths',
    {
      policies: [{ name: 'p', desired: { a: 1, b: 1 } }],
      reported: { a: 0 },
      paths: { a: { rejected: [{ by: 'p', value: 1 }] } },
    },
    { patch: { b: 1 }, is: { a: 'rejected', b: 'drifted' } },
  ],
];

const cooldowns: readonly Row[] = [
  [
    'a value that was just written waits',
    {
      policies: [{ ...BASE, cooldown: '1m' }],
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'base', value: 5, at: -20 }] } },
    },
    {
      is: { interval: 'drifted' },
      next: 40,
      why: 'interval is not what the policy wants; the cooldown after the last write is not over',
    },
  ],
  [
    'a value waits only until the cooldown is over',
    {
      policies: [{ ...BASE, cooldown: '1m' }],
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'base', value: 5, at: -60 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'another value of the policy does not wait',
    {
      policies: [{ ...BASE, cooldown: '1m' }],
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'base', value: 7, at: -20 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a value of changed policy content does not wait',
    {
      policies: [{ ...BASE, cooldown: '1m' }],
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'base', value: 5, at: -20, old: true }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a policy without a cooldown does not wait',
    {
      policies: [BASE],
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'base', value: 5, at: 0 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a condition on reported properties gives a cooldown of a minute by default',
    {
      policies: [SAVER],
      reported: LOW,
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -20 }] } },
    },
    { is: { interval: 'drifted' }, next: 40 },
  ],
  [
    'the setting cooldown: 0s overrides that default',
    {
      policies: [{ ...SAVER, cooldown: '0s' }],
      reported: LOW,
      desired: { interval: 9 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -20 }] } },
    },
    { patch: { interval: 60 }, is: { interval: 'drifted' } },
  ],
];

const fights: readonly Row[] = [
  [
    'three foreign changes in ten minutes are corrected',
    { policies: [BASE], desired: { interval: 9 }, paths: { interval: { foreign: [-1, -200, -400] } } },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'four foreign changes in ten minutes make the property contested',
    { policies: [BASE], desired: { interval: 9 }, paths: { interval: { foreign: [-1, -200, -400, -500] } } },
    {
      is: { interval: 'contested' },
      next: 3_599,
      why: 'interval another writer keeps changing it (4 times recently)',
    },
  ],
  [
    'four foreign changes over a longer time are corrected',
    { policies: [BASE], desired: { interval: 9 }, paths: { interval: { foreign: [-1, -200, -400, -700] } } },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'the fleet file sets the number of changes and the time',
    {
      policies: [BASE],
      fight: { writes: 1, within: '1m', pause: '5m' },
      desired: { interval: 9 },
      paths: { interval: { foreign: [-10, -20] } },
    },
    { is: { interval: 'contested' }, next: 290 },
  ],
  [
    'a pause that is shorter than the counted time is over at once',
    {
      policies: [BASE],
      fight: { writes: 1, within: '10m', pause: '5s' },
      desired: { interval: 9 },
      paths: { interval: { foreign: [-10, -20] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'nothing is written during the pause',
    { policies: [BASE], desired: { interval: 9 }, paths: { interval: { contestedUntil: 100 } } },
    { is: { interval: 'contested' }, next: 100 },
  ],
  [
    'the value is written again after the pause',
    {
      policies: [BASE],
      desired: { interval: 9 },
      paths: { interval: { contestedUntil: -1, foreign: [-1, -200, -400, -500] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'foreign changes to the wanted value do not count',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 5 },
      paths: { interval: { foreign: [-1, -200, -400, -500] } },
    },
    { is: { interval: 'inSync' } },
  ],
  [
    'a hub configuration makes the property contested at once and is named',
    {
      policies: [BASE],
      desired: { interval: 9 },
      paths: { interval: { foreign: [-1], configuration: 'hvac-west' } },
    },
    { is: { interval: 'contested' }, next: 3_600, why: 'interval the hub configuration "hvac-west" sets it' },
  ],
  [
    'a hub configuration with the wanted value does not count',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 5 },
      paths: { interval: { configuration: 'hvac-west' } },
    },
    { is: { interval: 'inSync' } },
  ],
  [
    'the value of a hub configuration is corrected once after the pause',
    {
      policies: [BASE],
      desired: { interval: 9 },
      paths: { interval: { contestedUntil: -1, configuration: 'hvac-west' } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'a contested path does not affect another path',
    { policies: [{ name: 'p', desired: { a: 1, b: 1 } }], paths: { a: { contestedUntil: 100 } } },
    { patch: { b: 1 }, is: { a: 'contested', b: 'drifted' }, next: 100 },
  ],
];

const ADOPT = { name: 'volume', mode: 'adopt', desired: { volume: null } };
const SEED = { name: 'start', mode: 'seed', desired: { volume: 3 } };
const OBSERVE = { name: 'look', mode: 'observe', desired: { volume: 3 } };

const modes: readonly Row[] = [
  [
    'the mode adopt copies the reported value to desired',
    { policies: [ADOPT], desired: { volume: 5 }, reported: { volume: 7 } },
    { patch: { volume: 7 }, is: { volume: 'drifted' } },
  ],
  [
    'the mode adopt adds a missing desired value',
    { policies: [ADOPT], reported: { volume: 7 } },
    { patch: { volume: 7 }, is: { volume: 'drifted' } },
  ],
  [
    'the mode adopt copies the value of an acknowledgement',
    { policies: [ADOPT], desired: { volume: 5 }, reported: { volume: ack(7, 200, 2) } },
    { patch: { volume: 7 }, is: { volume: 'drifted' } },
  ],
  [
    'the mode adopt copies the value of a refusal',
    { policies: [ADOPT], desired: { volume: 99 }, reported: { volume: ack(7, 400, 4) } },
    { patch: { volume: 7 }, is: { volume: 'drifted' } },
  ],
  [
    'the mode adopt is in sync for the same value in any form',
    { policies: [ADOPT], desired: { volume: 7 }, reported: { volume: ack(7, 203, 0) } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode adopt is in sync within the tolerance',
    { policies: [{ ...ADOPT, tolerance: 1 }], desired: { volume: 7 }, reported: { volume: 7.5 } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode adopt leaves the path to the next policy when nothing is reported',
    { policies: [ADOPT, { name: 'p', desired: { volume: 1 } }] },
    { patch: { volume: 1 }, is: { volume: 'drifted by p' } },
  ],
  [
    'the mode adopt does not copy an object',
    { policies: [ADOPT], desired: { volume: 1 }, reported: { volume: { left: 1, right: 2 } } },
    { is: {} },
  ],
  [
    'the mode adopt writes at most once in a cooldown',
    {
      policies: [ADOPT],
      desired: { volume: 6 },
      reported: { volume: 7 },
      paths: { volume: { writes: [{ by: 'volume', value: 6, at: -20 }] } },
    },
    { is: { volume: 'drifted' }, next: 40 },
  ],
  [
    'the mode adopt does not repeat a value that the hub refused',
    {
      policies: [ADOPT],
      desired: { volume: 6 },
      reported: { volume: 7 },
      paths: { volume: { rejected: [{ by: 'volume', value: 7 }] } },
    },
    { is: { volume: 'rejected' } },
  ],
  [
    'the mode seed sets an absent value',
    { policies: [SEED] },
    { patch: { volume: 3 }, is: { volume: 'drifted' } },
  ],
  [
    'the mode seed keeps an existing value',
    { policies: [SEED], desired: { volume: 9 }, reported: { volume: 1 } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode seed sets a value that another writer removed',
    { policies: [SEED], paths: { volume: { writes: [{ by: 'start', value: 3, at: -50 }] } } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode seed sets an absent value under changed policy content',
    { policies: [SEED], paths: { volume: { writes: [{ by: 'start', value: 2, at: -50, old: true }] } } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode seed owns its path before the next policy',
    { policies: [SEED, { name: 'p', desired: { volume: 1 } }], desired: { volume: 9 } },
    { is: { volume: 'inSync by start' } },
  ],
  [
    'the mode observe shows the correction and writes nothing',
    { policies: [OBSERVE], desired: { volume: 9 } },
    {
      is: { volume: 'drifted by look, held' },
      why: 'volume is not what the policy wants; the policy only observes',
    },
  ],
  [
    'the mode observe is in sync when no correction is needed',
    { policies: [OBSERVE], desired: { volume: 3 }, reported: { volume: 3 } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode observe gives a status to the answer of the device',
    { policies: [OBSERVE], desired: { volume: 3 }, reported: { volume: ack(1, 400, 4) } },
    { is: { volume: 'rejected' } },
  ],
  [
    'the mode observe owns its path',
    { policies: [OBSERVE, { name: 'p', desired: { volume: 1 } }], desired: { volume: 1 } },
    { is: { volume: 'drifted by look, held' } },
  ],
  [
    'the mode observe repeats no write',
    { policies: [OBSERVE], desired: { volume: 3 }, reported: { volume: ack(1, 500, 4) } },
    { is: { volume: 'pending by look, held' } },
  ],
  [
    'the mode adopt treats a reported null as an absent value',
    { policies: [ADOPT], reported: { volume: ack(null, 200, 1) } },
    { is: { volume: 'inSync' } },
  ],
  [
    'the mode adopt removes desired when the device reports null',
    { policies: [ADOPT], desired: { volume: 5 }, reported: { volume: ack(null, 200, 1) } },
    { patch: { volume: null }, is: { volume: 'drifted' } },
  ],
];

const LEAVING = { ...SAVER, onLeave: 'remove' };

const leaving: readonly Row[] = [
  [
    'a written value stays by default',
    {
      policies: [SAVER],
      reported: { battery: 90 },
      desired: { interval: 60 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99 }] } },
    },
    { is: {} },
  ],
  [
    'onLeave: remove removes a written value',
    {
      policies: [LEAVING],
      reported: { battery: 90 },
      desired: { interval: 60 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99 }] } },
    },
    { patch: { interval: null }, is: { interval: 'drifted' } },
  ],
  [
    'onLeave: remove works under changed policy content',
    {
      policies: [{ ...LEAVING, when: 'false' }],
      desired: { interval: 60 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99, old: true }] } },
    },
    { patch: { interval: null }, is: { interval: 'drifted' } },
  ],
  [
    'onLeave: remove keeps a value that the policy did not write',
    { policies: [LEAVING], reported: { battery: 90 }, desired: { interval: 60 } },
    { is: {} },
  ],
  [
    'onLeave: remove keeps a value that another writer has changed',
    {
      policies: [LEAVING],
      reported: { battery: 90 },
      desired: { interval: 61 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99 }] } },
    },
    { is: {} },
  ],
  [
    'onLeave: remove keeps a value that another policy owns',
    {
      policies: [LEAVING, BASE],
      reported: { battery: 90 },
      desired: { interval: 60 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99 }] } },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted by base' } },
  ],
  [
    'onLeave: remove waits while the condition is unknown',
    {
      policies: [LEAVING],
      desired: { interval: 60 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99 }] } },
    },
    { is: {} },
  ],
  [
    'onLeave: remove removes a value only once',
    {
      policies: [LEAVING],
      reported: { battery: 90 },
      paths: {
        interval: {
          writes: [
            { by: 'saver', value: null, at: -9 },
            { by: 'saver', value: 60, at: -99 },
          ],
        },
      },
    },
    { is: {} },
  ],
  [
    'a held policy removes nothing',
    {
      policies: [LEAVING],
      held: { saver: 'paused' },
      reported: { battery: 90 },
      desired: { interval: 60 },
      paths: { interval: { writes: [{ by: 'saver', value: 60, at: -99 }] } },
    },
    { is: { interval: 'drifted by saver, held' } },
  ],
  [
    'a removal from an object that is acknowledged as a whole sends the whole object',
    {
      policies: [{ name: 'p', when: 'tags.on == true', desired: { wifi: { ssid: 'a' } }, onLeave: 'remove' }],
      tags: { on: false },
      desired: { wifi: { ssid: 'a', ch: 1 } },
      reported: { wifi: ack({ ssid: 'a', ch: 1 }, 200, 4) },
      paths: { 'wifi.ssid': { writes: [{ by: 'p', value: 'a', at: -99 }] } },
    },
    { patch: { wifi: { ssid: null, ch: 1 } }, is: { 'wifi.ssid': 'drifted' } },
  ],
  [
    'a seeded value is removed too',
    {
      policies: [{ ...SEED, when: 'tags.on == true', onLeave: 'remove' }],
      tags: { on: false },
      desired: { volume: 3 },
      paths: { volume: { writes: [{ by: 'start', value: 3, at: -99 }] } },
    },
    { patch: { volume: null }, is: { volume: 'drifted' } },
  ],
];

const holds: readonly Row[] = [
  [
    'a paused policy owns its paths and writes nothing',
    { policies: [SAVER, BASE], held: { saver: 'paused' }, reported: LOW, desired: { interval: 5 } },
    { is: { interval: 'drifted by saver, held' } },
  ],
  [
    'a rollout that has not reached the device requeues the twin at that time',
    { policies: [SAVER, BASE], held: { saver: 120 }, reported: LOW, desired: { interval: 5 } },
    { is: { interval: 'drifted by saver, held' }, next: 120 },
  ],
  [
    'a held policy that is in sync waits for nothing',
    { policies: [BASE], held: { base: 120 }, desired: { interval: 5 }, reported: { interval: 5 } },
    { is: { interval: 'inSync' } },
  ],
  [
    'a held policy repeats no write',
    {
      policies: [BASE],
      held: { base: 120 },
      desired: { interval: 5 },
      reported: { interval: ack(9, 500, 4) },
    },
    { is: { interval: 'pending by base, held' }, next: 120 },
  ],
  [
    'other policies write while one is held',
    { policies: [SAVER, { name: 'log', desired: { level: 1 } }], held: { saver: 'paused' }, reported: LOW },
    { patch: { level: 1 }, is: { interval: 'drifted by saver, held', level: 'drifted by log' } },
  ],
  [
    'a contested property of a held policy is contested',
    {
      policies: [BASE],
      held: { base: 'paused' },
      desired: { interval: 9 },
      paths: { interval: { contestedUntil: 100 } },
    },
    { is: { interval: 'contested' }, next: 100 },
  ],
];

const times: readonly Row[] = [
  [
    'the earliest of all times counts',
    {
      policies: [{ name: 'p', desired: { a: 1, b: 1 }, deadline: '1h' }],
      desired: { a: 1, b: 2 },
      reported: { a: ack(0, 202, 4) },
      paths: { a: { reportedAt: 0 }, b: { contestedUntil: 30 } },
    },
    { is: { a: 'pending', b: 'contested' }, next: 30 },
  ],
  [
    'the worst property gives the status of the twin and its reason',
    {
      policies: [{ name: 'p', desired: { a: 1, b: 1, c: 1 } }],
      desired: { a: 1, b: 1 },
      reported: { a: ack(0, 400, 4), b: 1 },
    },
    { patch: { c: 1 }, is: { a: 'rejected', b: 'inSync', c: 'drifted' }, why: 'a the device answered 400' },
  ],
];

const WRITTEN = (at: number, count = 1) => [{ by: 'base', value: 5, at, count }];
const unanswered: readonly Row[] = [
  [
    'without a sign of life the hub is asked ten minutes after the write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      paths: { interval: { writes: WRITTEN(-60) } },
      life: { lifeAt: -61 },
    },
    { is: { interval: 'pending' }, ask: 540, why: 'interval has not been reported yet' },
  ],
  [
    'a question without a result is repeated after twice the time',
    {
      policies: [BASE],
      desired: { interval: 5 },
      paths: { interval: { writes: WRITTEN(-700) } },
      life: { lifeAt: -800, askedAt: -100, asks: 1 },
    },
    { is: { interval: 'pending' }, ask: 1_100 },
  ],
  [
    'a question without a result for days is repeated once a day',
    {
      policies: [BASE],
      desired: { interval: 5 },
      paths: { interval: { writes: WRITTEN(-900_000) } },
      life: { lifeAt: -1_000_000, askedAt: -100, asks: 12 },
    },
    { is: { interval: 'pending' }, ask: 86_300 },
  ],
  [
    'a question from before the write does not count',
    {
      policies: [BASE],
      desired: { interval: 5 },
      paths: { interval: { writes: WRITTEN(-60) } },
      life: { askedAt: -100, asks: 7 },
    },
    { is: { interval: 'pending' }, ask: 540 },
  ],
  [
    'a device that reports other properties gets another write two minutes after the write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: LOW,
      paths: { interval: { writes: WRITTEN(-60) } },
      life: { lifeAt: -50 },
    },
    { is: { interval: 'pending' }, next: 60 },
  ],
  [
    'a device that reports other properties is written again when the two minutes are over',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: LOW,
      paths: { interval: { writes: WRITTEN(-120) } },
      life: { lifeAt: -50 },
    },
    { patch: { interval: 5 }, is: { interval: 'pending' } },
  ],
  [
    'the third write comes four minutes after the second',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: LOW,
      paths: { interval: { writes: WRITTEN(-120, 2) } },
      life: { lifeAt: -50 },
    },
    { is: { interval: 'pending' }, next: 120 },
  ],
  [
    'a device is listed as not answering after the last attempt',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: LOW,
      paths: { interval: { writes: WRITTEN(-480, 3) } },
      life: { lifeAt: -50 },
    },
    {
      is: { interval: 'rejected' },
      why: 'interval has not been reported yet; Berth wrote it 3 times; the device is alive and does not answer',
    },
  ],
  [
    'a device without a sign of life since the last attempt is still pending',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: LOW,
      paths: { interval: { writes: WRITTEN(-480, 3) } },
      life: { lifeAt: -490 },
    },
    { is: { interval: 'pending' }, ask: 120 },
  ],
  [
    'a device that is not answering is written again when another writer changes desired',
    {
      policies: [BASE],
      desired: { interval: 9 },
      reported: LOW,
      paths: { interval: { oursAt: -10, writes: WRITTEN(-480, 3), foreign: [-10] } },
      life: { lifeAt: -5 },
    },
    { patch: { interval: 5 }, is: { interval: 'drifted' } },
  ],
  [
    'an answer to an older version causes another write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: ack(9, 200, 3) },
      paths: { interval: { writes: WRITTEN(-120) } },
      life: { lifeAt: -50 },
    },
    { patch: { interval: 5 }, is: { interval: 'pending' } },
  ],
  [
    'the same wrong value a minute after the write causes another write',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 30 },
      paths: { interval: { before: 30, reportedAt: -59, writes: WRITTEN(-60) } },
      life: { lifeAt: -59 },
    },
    { patch: { interval: 5 }, is: { interval: 'pending' } },
  ],
  [
    'the same wrong value within a minute of the write does not count yet',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 30 },
      paths: { interval: { before: 30, reportedAt: -1, writes: WRITTEN(-20) } },
      life: { lifeAt: -1 },
    },
    { is: { interval: 'pending' }, next: 40 },
  ],
  [
    'one report counts for one write only',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 30 },
      paths: { interval: { before: 30, reportedAt: -100, writes: WRITTEN(-90, 2) } },
      life: { lifeAt: -100 },
    },
    { is: { interval: 'pending' }, ask: 510 },
  ],
  [
    'the same wrong value after the last attempt is a rejection',
    {
      policies: [BASE],
      desired: { interval: 5 },
      reported: { interval: 30 },
      paths: { interval: { before: 30, reportedAt: -60, writes: WRITTEN(-130, 3) } },
      life: { lifeAt: -60 },
    },
    {
      is: { interval: 'rejected' },
      why: 'interval the device reports another value; Berth wrote it 3 times',
    },
  ],
  [
    'a value that needs no confirmation causes no question',
    {
      policies: [{ ...BASE, confirm: false }],
      desired: { interval: 5 },
      paths: { interval: { writes: WRITTEN(-600) } },
      life: { lifeAt: -50 },
    },
    { is: { interval: 'inSync' } },
  ],
];

describe.each<[string, readonly Row[]]>([
  ['a value without an answer', unanswered],
  ['the owner of a property', ownership],
  ['the values of a policy', values],
  ['a device that echoes values', echoes],
  ['a device that acknowledges in the Plug and Play convention', acknowledgements],
  ['a component or a whole object', components],
  ['a rejected value', rejections],
  ['a cooldown', cooldowns],
  ['a contested property', fights],
  ['a mode of a policy', modes],
  ['a policy that no longer matches', leaving],
  ['a pause or a rollout', holds],
  ['a twin as a whole', times],
])('%s', (_, rows) => {
  test.each(rows)('%s', (_name, given, expected) => {
    const planned = look(given);

    expect({
      patch: planned.patch,
      is: said(planned, expected),
      next: planned.nextAt === undefined ? undefined : (planned.nextAt - T0) / 1_000,
      ask: planned.askAt === undefined ? undefined : (planned.askAt - T0) / 1_000,
    }).toEqual({ patch: expected.patch ?? {}, is: expected.is, next: expected.next, ask: expected.ask });
    if (expected.why !== undefined) expect(planned.why).toBe(expected.why);
  });
});

test('a plan is the same each time it is made', () => {
  for (const [, given] of [...ownership, ...echoes, ...acknowledgements, ...fights, ...modes]) {
    const first = look(given);
    const second = look(given, first.paths);

    expect({ ...second, paths: undefined }).toEqual({ ...first, paths: undefined });
    expect(second.paths).toEqual(first.paths);
  }
});

function look(given: Given, paths?: Plan['paths']): Plan {
  const { policies, scope, fight, held = {} } = given;
  const fleet = fleetOf(
    {
      policies,
      ...(scope === undefined ? {} : { scope }),
      ...(fight === undefined ? {} : { fight }),
    },
    MODELS,
  );
  const hub = fleet.hubs[0];
  if (hub === undefined) throw new Error('no hub');
  const hashOf = (name: string) => fleet.twins.policies.find((policy) => policy.name === name)?.hash ?? name;
  return plan({
    snapshot: snapshotOf({
      id: { ...ID, moduleId: given.module },
      modelId: given.modelId,
      tags: given.tags ?? {},
      desired: given.desired ?? {},
      reported: given.reported ?? {},
      desiredVersion: given.desiredVersion ?? 4,
      lifeAt: given.life?.lifeAt === undefined ? undefined : at(given.life.lifeAt),
      activity:
        given.life?.askedAt === undefined
          ? undefined
          : { askedAt: plus(T0, given.life.askedAt * 1_000), asks: given.life.asks ?? 1, isConnected: false },
      paths:
        paths ??
        Object.fromEntries(
          [
            ...new Set([
              ...Object.keys(given.paths ?? {}),
              ...fleet.twins.trackedPaths.map((path) => path.join('.')),
            ]),
          ].flatMap((key) => {
            const history = given.paths?.[key] ?? {};
            return history === 'unseen' ? [] : [[key, historyOf(history, hashOf)]];
          }),
        ),
    }),
    hub,
    twins: fleet.twins,
    holdOf({ name }) {
      const until = held[name];
      if (until === undefined) return undefined;
      return until === 'paused'
        ? { why: 'paused', until: undefined }
        : { why: 'not reached', until: plus(T0, until * 1_000) };
    },
    now: T0,
  });
}

function historyOf(history: History, hashOf: (name: string) => string): PathHistory {
  const {
    ours = 4,
    reportedAt,
    before = 'something else',
    writes = [],
    oursAt = writes[0]?.at,
    foreign = [],
    configuration,
    contestedUntil,
    rejected = [],
  } = history;
  return {
    ...NO_HISTORY,
    ours,
    oursAt: oursAt === undefined ? undefined : at(oursAt),
    reportedAt: reportedAt === undefined ? undefined : at(reportedAt),
    changedAt: reportedAt === undefined ? undefined : at(reportedAt),
    before,
    writes: writes.map(({ by, value, at: seconds, count = 1, old }) => ({
      policy: old === true ? 'an older content' : hashOf(by),
      by,
      value,
      at: at(seconds),
      count,
    })),
    foreign: foreign.map(at),
    configuration,
    contestedUntil: contestedUntil === undefined ? undefined : plus(T0, contestedUntil * 1_000),
    rejected: rejected.map(({ by, value }) => ({ policy: hashOf(by), value, why: 'no' })),
  };
}

/** In the words of the row: with the policy where it names one, and that it is held. */
function said({ leaves }: Plan, { is }: Expected): Record<string, string> {
  return Object.fromEntries(
    leaves.map(({ path, status, policy, held }) => {
      const withPolicy = is[path]?.includes(' by ') === true ? `${status} by ${policy}` : status;
      return [path, held === undefined ? withPolicy : `${withPolicy}, held`];
    }),
  );
}
