import { describe, expect, test } from '@jest/globals';
import rhea from 'rhea';
import { decodeSections, decodeText, readMap, SECTION } from '../../../local/amqp/encoding.ts';
import type { EventToAppend } from '../../../local/event-hubs/event.ts';
import {
  BATCH_MESSAGE_FORMAT,
  encodeEvent,
  encodeRuntimeMetrics,
  placeEvent,
  readProducedEvents,
} from '../../../local/event-hubs/message/event-message.ts';
import { fc } from '../../support/properties.ts';

const place = { sequenceNumber: 7, offset: 5_000_000_000, enqueuedTime: 1_654_122_470_329 };
const { types } = rhea;

/** Sections that a producer's message and what readers get must have in common. */
function contents(message: Buffer): Buffer[] {
  return decodeSections(message)
    .filter(({ code }) => code >= SECTION.properties)
    .map(({ start, end }) => message.subarray(start, end));
}

function annotationsOf(message: Buffer): [string, string][] {
  const section = decodeSections(message).find(({ code }) => code === SECTION.messageAnnotations);
  return readMap(message, section?.valueAt ?? 0).map(({ key, valueAt, end }) => [
    key,
    message.toString('hex', valueAt, end),
  ]);
}

const typed = fc.oneof(
  fc.integer().map((value) => types.wrap_long(value)),
  fc.integer().map((value) => types.wrap_double(value)),
  fc.nat().map((value) => types.wrap_ulong(value)),
  fc.string().map((value) => types.wrap_symbol(value)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((value) => types.wrap_uuid(Buffer.from(value))),
);
const sentMessage = fc
  .record({
    application_properties: fc.dictionary(fc.string({ minLength: 1 }), typed),
    message_annotations: fc.dictionary(fc.string({ minLength: 1 }), typed),
    message_id: fc.string(),
    body: fc
      .array(fc.uint8Array(), { minLength: 1, maxLength: 3 })
      .map((profiles) => rhea.message.data_sections(profiles.map((profile) => Buffer.from(profile)))),
  })
  .map((fields) => rhea.message.encode(fields));

describe('the message of an event', () => {
  test('has no properties section if no property has a value', () => {
    const codes = (event: EventToAppend) => decodeSections(encodeEvent(event)).map(({ code }) => code);
    const body = Buffer.from('{}');

    expect(codes({ body, contentType: undefined })).not.toContain(SECTION.properties);
    expect(codes({ body, contentType: 'application/json' })).toContain(SECTION.properties);
  });

  test('is passed on byte for byte, alone or from a batch, whatever types its values have', () => {
    fc.assert(
      fc.property(fc.array(sentMessage, { minLength: 1, maxLength: 4 }), (messages) => {
        const batch = rhea.message.encode({ body: rhea.message.data_sections(messages) });

        const alone = messages.flatMap((message) => readProducedEvents(message, 0));
        const together = readProducedEvents(batch, BATCH_MESSAGE_FORMAT);

        for (const events of [alone, together]) {
          const placed = events.map((event) => placeEvent(event, place));
          expect(placed.map((event) => contents(event.message))).toEqual(messages.map(contents));
          expect(placed.map((event) => annotationsOf(event.message).slice(3))).toEqual(
            messages.map(annotationsOf),
          );
        }
      }),
    );
  });

  test("has Event Hubs' annotations in the types of Azure", () => {
    const sent = encodeEvent({ body: Buffer.from('x'), partitionKey: 'ключ' });

    const [stored] = readProducedEvents(sent, 0).map((event) => placeEvent(event, place));

    expect(Object.fromEntries(annotationsOf(stored?.message ?? Buffer.alloc(0)))).toEqual({
      'x-opt-sequence-number': '810000000000000007',
      'x-opt-offset': `b10000000a${Buffer.from('5000000000').toString('hex')}`,
      'x-opt-enqueued-time': `83${place.enqueuedTime.toString(16).padStart(16, '0')}`,
      'x-opt-partition-key': `b100000008${Buffer.from('ключ').toString('hex')}`,
    });
  });

  test('has the partition key of the batch envelope', () => {
    const inner = rhea.message.encode({ body: rhea.message.data_section(Buffer.from('x')) });
    const batch = rhea.message.encode({
      message_annotations: { 'x-opt-partition-key': 'key' },
      body: rhea.message.data_sections([inner, inner]),
    });

    expect(readProducedEvents(batch, BATCH_MESSAGE_FORMAT).map(({ partitionKey }) => partitionKey)).toEqual([
      'key',
      'key',
    ]);
  });

  test('keeps its header and loses delivery annotations, which are valid for one hop only', () => {
    const sent = rhea.message.encode({
      durable: true,
      delivery_annotations: { hop: 1 },
      body: rhea.message.data_section(Buffer.from('x')),
    });

    const [stored] = readProducedEvents(sent, 0).map((event) => placeEvent(event, place));

    expect(rhea.message.decode(stored?.header ?? Buffer.alloc(0))).toMatchObject({ durable: true });
    expect(decodeSections(stored?.message ?? Buffer.alloc(0)).map(({ code }) => code)).not.toContain(
      SECTION.deliveryAnnotations,
    );
  });

  test('has whole numbers as longs and other numbers as doubles if a producer in the process sent it', () => {
    const message = encodeEvent({
      body: Buffer.alloc(0),
      annotations: {
        whole: 1_654_122_470_282,
        half: 0.5,
        huge: 1e300,
        text: 'x',
        yes: true,
        nothing: null,
        at: new Date(0),
      },
    });

    const codes = annotationsOf(message).map(([key, hex]) => [key, hex.slice(0, 2)]);
    expect(Object.fromEntries(codes)).toEqual({
      whole: '81',
      half: '82',
      huge: '82',
      text: 'a1',
      yes: '41',
      nothing: '40',
      at: '83',
    });
  });

  test('cannot contain values that AMQP cannot represent', () => {
    expect(() => encodeEvent({ body: Buffer.alloc(0), properties: { f: () => 1 } })).toThrow(TypeError);
  });

  test('carries runtime metrics in delivery annotations', () => {
    const section = encodeRuntimeMetrics(place, 1_700_000_000_000);

    expect(rhea.message.decode(section).delivery_annotations).toEqual({
      last_enqueued_sequence_number: 7,
      last_enqueued_offset: '5000000000',
      last_enqueued_time_utc: new Date(place.enqueuedTime),
      runtime_info_retrieval_time_utc: new Date(1_700_000_000_000),
    });
    expect(decodeText(section, readMap(section, 3)[1]?.valueAt ?? 0)).toBe('5000000000');
  });
});
