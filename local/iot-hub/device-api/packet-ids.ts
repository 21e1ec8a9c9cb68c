import type { MqttPacketId } from '../../mqtt/index.ts';

const MAX_PACKET_ID = 65_535;

/**
 * The packet ids of the messages that a device has got with QoS 1 and not acknowledged. A message that is sent again keeps its
 * id (MQTT 3.1.1, 4.4).
 */
export interface PacketIds {
  /** The id of a message: the one that it was sent with, else a free one. */
  take(messageId: string): MqttPacketId;
  /** The device has acknowledged the message. Its id is free. */
  release(messageId: string): void;
  /** The ids by the ids of the messages. */
  all(): Readonly<Record<string, number>>;
}

/** @param earlier the ids of an earlier connection of the same session. */
export function createPacketIds(earlier: Readonly<Record<string, number>>): PacketIds {
  const ids = new Map(Object.entries(earlier));
  let last = Math.max(0, ...ids.values());
  return {
    take(messageId) {
      const known = ids.get(messageId);
      if (known !== undefined) return { id: known, isSentAgain: true };
      const used = new Set(ids.values());
      do last = (last % MAX_PACKET_ID) + 1;
      while (used.has(last));
      ids.set(messageId, last);
      return { id: last, isSentAgain: false };
    },
    release: (messageId) => void ids.delete(messageId),
    all: () => Object.fromEntries(ids),
  };
}
