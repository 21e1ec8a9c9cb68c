import { describe, expect, test } from '@jest/globals';
import rhea from 'rhea';
import {
  decodeSections,
  decodeText,
  MalformedMessageError,
  readMap,
  SECTION,
} from '../../../local/amqp/encoding.ts';
import { fc } from '../../support/properties.ts';

const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.integer(),
  // rhea cannot write whole numbers over 2^64.
  fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.date({ noInvalidDate: true }),
);
const value = fc.oneof(scalar, fc.array(scalar), fc.dictionary(fc.string({ minLength: 1 }), scalar));
const key = fc.string({ minLength: 1, maxLength: 300 });

/** Messages as a client's library writes them. */
const message = fc
  .record({
    durable: fc.boolean(),
    message_annotations: fc.dictionary(key, value),
    application_properties: fc.dictionary(key, scalar),
    content_type: fc.string(),
    body: fc.oneof(
      value,
      fc.uint8Array({ maxLength: 600 }).map((bytes) => rhea.message.data_section(Buffer.from(bytes))),
      fc
        .array(fc.uint8Array(), { minLength: 1 })
        .map((profiles) => rhea.message.data_sections(profiles.map((bytes) => Buffer.from(bytes)))),
    ),
  })
  .map((fields) => rhea.message.encode(fields));

describe('the sections of an encoded message', () => {
  test('the sections follow each other without a gap and cover the message', () => {
    fc.assert(
      fc.property(message, (bytes) => {
        const sections = decodeSections(bytes);

        expect(sections[0]?.start).toBe(0);
        expect(sections.at(-1)?.end).toBe(bytes.length);
        for (const [index, section] of sections.entries()) {
          expect(section.start).toBe(index === 0 ? 0 : sections[index - 1]?.end);
        }
      }),
    );
  });

  test('the sections have the annotations that were added', () => {
    fc.assert(
      fc.property(fc.dictionary(key, fc.string()), (annotations) => {
        // Keys are symbols, which are ASCII.
        const bytes = rhea.message.encode({ message_annotations: annotations, body: 'x' });
        const section = decodeSections(bytes).find(({ code }) => code === SECTION.messageAnnotations);

        const entries = readMap(bytes, section?.valueAt ?? 0).map((entry) => [
          entry.key,
          decodeText(bytes, entry.valueAt),
        ]);

        expect(Object.fromEntries(entries)).toEqual({ ...annotations });
      }),
    );
  });

  test('the sections are also recognized by symbolic descriptors', () => {
    const bytes = Buffer.concat([
      Buffer.from([0x00, 0xa3, 16]),
      Buffer.from('amqp:data:binary'),
      Buffer.from([0xa0, 2, 1, 2]),
    ]);

    expect(decodeSections(bytes)).toEqual([{ code: SECTION.data, start: 0, valueAt: 19, end: 23 }]);
  });

  test('damaged bytes are refused with one kind of error, and accepted bytes can be decoded', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat({ max: 255 }), fc.nat(), (bytes, at, byte, length) => {
        const damaged = Buffer.from(bytes.subarray(0, length % (bytes.length + 1)));
        if (damaged.length > 0) damaged[at % damaged.length] = byte;
        try {
          decodeSections(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessageError);
          return;
        }
        expect(() => rhea.message.decode(damaged)).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });

  test('random bytes never cause another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeSections(Buffer.from([0x00, 0x53, 0x77, ...bytes]));
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessageError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, number[]]>([
    ['an array of four billion nulls', [0x00, 0x53, 0x77, 0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40]],
    ['a list of four billion items', [0x00, 0x53, 0x77, 0xd0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40]],
    ['a string longer than the message', [0x00, 0x53, 0x77, 0xb1, 0xff, 0xff, 0xff, 0xff, 0x41]],
    ['a map with half an entry', [0x00, 0x53, 0x72, 0xc1, 3, 1, 0x40, 0x40]],
    ['an unknown type', [0x00, 0x53, 0x77, 0x4f]],
    ['an unknown section', [0x00, 0x53, 0x79, 0x40]],
    ['no descriptor', [0x40]],
    ['nothing but descriptors', new Array(100_000).fill(0)],
  ])('the parser refuses %s', (_, bytes) => {
    expect(() => decodeSections(Buffer.from(bytes))).toThrow(MalformedMessageError);
  });
});
