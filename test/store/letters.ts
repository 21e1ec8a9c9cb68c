import type { DeadLetter } from '../../src/store/dead-letters/dead-letter-store.ts';

/** A dead letter of a hub's event whose body is no JSON. */
export function letterOf(parts: Partial<DeadLetter> = {}): DeadLetter {
  return {
    partition: '3',
    sequenceNumber: 1_234,
    enqueuedAt: '2026-11-23T12:00:00.000Z',
    code: 'BERTH_EVENT_NOT_JSON',
    reason: 'has a body that is not JSON',
    body: Buffer.from('not json'),
    properties: { hubName: 'weu', operationTimestamp: '2026-11-23T11:59:59.5Z', opType: 'updateTwin' },
    systemProperties: {
      'iothub-message-source': 'twinChangeEvents',
      'iothub-connection-device-id': 'pump-1',
    },
    ...parts,
  };
}
