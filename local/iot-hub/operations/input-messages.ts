import { notHere } from '../../errors.ts';
import type { LocalHub } from '../hub/hub.ts';
import { type Address, addressPath } from '../model/address.ts';

/**
 * Says that nothing arrives at the inputs of a module. On a device, its IoT Edge hub sends messages to inputs. IoT Hub itself
 * grants the subscription, and sends none.
 */
export function warnAboutInputs(hub: LocalHub, address: Address): void {
  hub.log.warn(
    `${hub.name}: ${addressPath(address)} waits for messages at its inputs. ${notHere(
      'Messages between modules are not in the local hub: only the simulated IoT Edge runtime routes them, between its own modules.',
    )}`,
  );
}
