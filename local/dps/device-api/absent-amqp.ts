import { createAbsentService } from '../../amqp/absent-service.ts';
import type { AmqpService } from '../../amqp/index.ts';
import { notHere } from '../../errors.ts';

/** Tells devices that register over AMQP that this is not in the local DPS. */
export function absentRuntimeAmqp(): AmqpService {
  return createAbsentService({
    name: 'DPS',
    hosts: /\.azure-devices-provisioning\.(?:net|cn|us)$/,
    knows: (address) => /(?:^|\/)registrations(?:\/|%2f)/i.test(address),
    reason: notHere('AMQP of DPS is not in the local DPS. Use MQTT or HTTPS.'),
  });
}
