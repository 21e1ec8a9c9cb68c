import { describe, expect, test } from '@jest/globals';
import rhea from 'rhea';
import { MalformedMessageError } from '../../../local/amqp/encoding.ts';
import { messageIdsIn } from '../../../local/amqp/message-ids.ts';

/** An encoded message with these bytes as its message id and its correlation id (OASIS AMQP 1.0, part 3, section 3.2.4). */
function messageWith(id: readonly number[]): Buffer {
  const fields = [...id, 0x40, 0x40, 0x40, 0x40, ...id];
  const size = Buffer.alloc(8);
  size.writeUInt32BE(fields.length + 4, 0);
  size.writeUInt32BE(6, 4);
  return Buffer.from([0x00, 0x53, 0x73, 0xd0, ...size, ...fields]);
}

const sixteen = Array.from({ length: 16 }, (_, index) => index);

describe('the ids of a message', () => {
  test.each<[string, readonly number[]]>([
    ['the ulong 0', [0x44]],
    ['a small ulong', [0x53, 7]],
    ['a ulong', [0x80, 0, 0, 0, 0, 0, 1, 0, 0]],
    ['the largest ulong', [0x80, 255, 255, 255, 255, 255, 255, 255, 255]],
    ['a UUID', [0x98, ...sixteen]],
    ['a short binary', [0xa0, 3, 1, 2, 3]],
    ['a binary of sixteen bytes', [0xa0, 16, ...sixteen]],
    ['a long binary', [0xb0, 0, 0, 1, 0, ...new Array<number>(256).fill(9)]],
    ['an empty binary', [0xa0, 0]],
    ['a text', [0xa1, 3, 0x61, 0x62, 0x63]],
    ['a text that looks like a UUID', [0xa1, 36, ...Buffer.from('3d1f9a7e-3c3f-4b6a-9a53-0c4b3a0d5e6f')]],
    ['a long text', [0xb1, 0, 0, 1, 0, ...new Array<number>(256).fill(0x61)]],
  ])('are echoed unchanged if they are %s', (_what, id) => {
    const { messageId, correlationId } = messageIdsIn(messageWith(id));

    const answer = rhea.message.encode({
      message_id: messageId as string,
      correlation_id: correlationId as string,
      body: rhea.message.data_section(Buffer.from('x')),
    });

    const hex = Buffer.from(id).toString('hex');
    expect(answer.toString('hex').split(hex)).toHaveLength(3);
  });

  test.each<[string, Buffer]>([
    ['nulls', messageWith([0x40])],
    ['properties without fields', Buffer.from([0x00, 0x53, 0x73, 0x45])],
    ['no properties', Buffer.from([0x00, 0x53, 0x75, 0xa0, 0])],
  ])('are absent in a message with %s', (_what, message) => {
    expect(messageIdsIn(message)).toEqual({ messageId: undefined, correlationId: undefined });
  });

  test.each<[string, readonly number[]]>([
    ['true', [0x41]],
    ['false', [0x56, 0]],
    ['a negative number', [0x55, 0xff]],
    ['a uint', [0x52, 1]],
    ['a double', [0x82, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a time', [0x83, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a symbol', [0xa3, 1, 0x61]],
    ['a list', [0x45]],
    ['a map', [0xc1, 1, 0]],
    ['a described value', [0x00, 0x53, 1, 0xa1, 1, 0x61]],
  ])('make the message malformed if they are %s', (_what, id) => {
    expect(() => messageIdsIn(messageWith(id))).toThrow(MalformedMessageError);
  });
});
