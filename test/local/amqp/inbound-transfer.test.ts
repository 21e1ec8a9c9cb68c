import { describe, expect, test } from '@jest/globals';
import type { Connection } from 'rhea';
import { watchInboundTransfers } from '../../../local/amqp/inbound-transfer.ts';

interface Frame {
  readonly channel: number;
  readonly performative: {
    handle: number;
    more: boolean;
    aborted?: boolean;
    message_format?: number | undefined;
  };
  payload?: Buffer | undefined;
}

describe('inbound transfers', () => {
  /** What rhea is given of each frame, and what is known while it handles it. */
  const pass = (limit: number, frames: Frame[]) => {
    const seen: { bytes: number | undefined; size: number; aborted: boolean }[] = [];
    const connection = {
      remote_channel_map: { 0: { remote: { handles: [{}, {}] } } },
      on_transfer(frame: Frame) {
        seen.push({ bytes: frame.payload?.length, ...known() });
      },
    };
    const known = watchInboundTransfers(connection as unknown as Connection, limit);
    for (const frame of frames) connection.on_transfer(frame);
    return seen;
  };
  const frame = (bytes: number, more: boolean, handle = 0): Frame => ({
    channel: 0,
    performative: { handle, more },
    payload: Buffer.alloc(bytes),
  });

  test('a message over the limit is kept up to the limit and counted to the end', () => {
    expect(pass(100, [frame(60, true), frame(60, true), frame(60, false), frame(50, false)])).toEqual([
      { bytes: 60, size: 60, aborted: false },
      { bytes: undefined, size: 120, aborted: false },
      { bytes: undefined, size: 180, aborted: false },
      { bytes: 50, size: 50, aborted: false },
    ]);
  });

  test('messages of two links are counted separately', () => {
    expect(pass(100, [frame(60, true), frame(70, true, 1), frame(30, false, 1), frame(20, false)])).toEqual([
      { bytes: 60, size: 60, aborted: false },
      { bytes: 70, size: 70, aborted: false },
      { bytes: 30, size: 100, aborted: false },
      { bytes: 20, size: 80, aborted: false },
    ]);
  });

  test('a message that its sender aborted is reported', () => {
    const given = { channel: 0, performative: { handle: 0, more: false, aborted: true } };

    expect(pass(100, [frame(60, true), given]).at(-1)).toEqual({ bytes: undefined, size: 60, aborted: true });
  });
});
