import { describe, expect, test } from '@jest/globals';
import {
  type DocumentFormat,
  presentFormat,
  readDocument,
  type UpgradeStep,
  upgrade,
} from '../src/json/document-format.ts';
import { fc } from './support/properties.ts';

interface Counter {
  readonly name: string;
  readonly total: number;
}
/** Format 1: a number. 2: an object with `count`. 3: `count` is called `total`, and it has a name. */
const COUNTER: DocumentFormat<Counter> = {
  document: 'counter',
  steps: [
    (count) => ({ count }),
    (document) => ({ name: 'unnamed', total: (document as { count: number }).count }),
  ],
  unnumbered: 1,
  read: (document) => {
    const { name, total } = document as Counter;
    return typeof name === 'string' && typeof total === 'number' ? { name, total } : undefined;
  },
};
const read = (format: unknown, document: unknown) => readDocument(COUNTER, format, () => document);

describe('reading a stored document', () => {
  test.each([
    ['reads a document of the present format as it is', 3, { name: 'a', total: 7 }, { name: 'a', total: 7 }],
    ['takes one step for a document of the format before', 2, { count: 7 }, { name: 'unnamed', total: 7 }],
    ['takes all steps for a document of the first format', 1, 7, { name: 'unnamed', total: 7 }],
    [
      'takes all steps for a document without a number, which has the first format',
      undefined,
      7,
      { name: 'unnamed', total: 7 },
    ],
  ])('%s', (_, format, document, value) => {
    expect(read(format, document)).toEqual({ kind: 'known', value });
  });

  test('does not open a document of a newer format', () => {
    const open = (): unknown => {
      throw new Error('opened');
    };

    expect(readDocument(COUNTER, 4, open)).toEqual({
      kind: 'newer',
      newer: { document: 'counter', format: 4, known: 3 },
    });
  });

  test.each([
    ['whose number is no format', 0, { name: 'a', total: 7 }],
    ['whose number is negative', -1, { name: 'a', total: 7 }],
    ['whose number is a fraction', 3.5, { name: 'a', total: 7 }],
    ['whose number is not finite', Number.POSITIVE_INFINITY, { name: 'a', total: 7 }],
    ['whose number is a text', '9', { name: 'a', total: 7 }],
    ['whose number is null', null, 7],
    ['that is not what the schema wants', 3, { name: 'a' }],
    ['for which a step fails', 2, null],
    ['for which reading fails', 3, undefined],
  ])('finds a document damaged, and not newer, %s', (_, format, document) => {
    expect(read(format, document)).toEqual({ kind: 'damaged' });
  });

  test('finds a document damaged that cannot be opened', () => {
    const open = (): unknown => {
      throw new Error('no deflated data');
    };

    expect(readDocument(COUNTER, 3, open)).toEqual({ kind: 'damaged' });
  });

  test('finds a document damaged that has no number, where all documents have one', () => {
    const { unnumbered: _, ...numbered } = COUNTER;

    expect(readDocument(numbered, undefined, () => ({ name: 'a', total: 7 }))).toEqual({ kind: 'damaged' });
  });
});

describe('upgrading', () => {
  const steps = (count: number): readonly UpgradeStep[] =>
    Array.from({ length: count }, (_, index) => (document) => [...(document as number[]), index + 1]);

  test('takes each step from the format on, once and in order', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.nat(12), (count, before) => {
        const from = 1 + Math.min(count, before);
        const taken = upgrade(steps(count), from, []);

        expect(taken).toEqual(Array.from({ length: count - from + 1 }, (_, index) => from + index));
      }),
    );
  });

  test('has the same result in two parts as at once', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.nat(12), (first, more) => {
        const all = steps(first + more);
        const halfWay = upgrade(all.slice(0, first), 1, []);

        expect(upgrade(all, presentFormat({ steps: all.slice(0, first) }), halfWay)).toEqual(
          upgrade(all, 1, []),
        );
      }),
    );
  });

  test('changes no document of the present format', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(5), (document, count) => {
        const all = steps(count);

        expect(upgrade(all, presentFormat({ steps: all }), document)).toBe(document);
      }),
    );
  });
});
