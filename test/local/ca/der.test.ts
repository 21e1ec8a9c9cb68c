import { describe, expect, test } from '@jest/globals';
import { certificateTime, elementsOf, identifier, integer, nameText, octets } from '../../../local/ca/der.ts';

const hex = (bytes: Buffer) => bytes.toString('hex');

describe('DER', () => {
  // The values are those of `openssl asn1parse -genstr`.
  test.each<[string, Buffer, string]>([
    ['an object identifier', identifier('2.5.29.19'), '0603551d13'],
    ['an object identifier with a large arc', identifier('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
    ['a small number', integer(2), '020102'],
    ['a number with the highest bit', integer(0x80, 0x01), '0203008001'],
    ['a text of ASCII', nameText('Root 1'), '1306526f6f742031'],
    ['a text that is not ASCII', nameText('ä'), '0c02c3a4'],
    [
      'the last second of 2049',
      certificateTime(Date.UTC(2049, 11, 31, 23, 59, 59)),
      '170d3439313233313233353935395a',
    ],
    ['the first second of 2050', certificateTime(Date.UTC(2050, 0, 1)), '180f32303530303130313030303030305a'],
  ])('writes %s', (_, written, expected) => {
    expect(hex(written)).toBe(expected);
  });

  test.each([0, 1, 127, 128, 255, 256, 65_535, 65_536])('reads back %d bytes', (length) => {
    const bytes = Buffer.alloc(length, 7);

    const found = elementsOf(Buffer.concat([octets(bytes), integer(1)]));

    expect(found.map(({ tag, content }) => [tag, content.length])).toEqual([
      [4, length],
      [2, 1],
    ]);
  });

  test('refuses a value that is cut off', () => {
    expect(() => elementsOf(octets(Buffer.alloc(300)).subarray(0, 200))).toThrow(RangeError);
  });
});
