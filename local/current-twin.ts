import type { Twin } from 'azure-iot-device';

/** The client of a device or a module, as far as it is used here. */
interface TwinClient {
  getTwin(): Promise<Twin>;
}

/**
 * The twin of a device or module, whose changes the hub sends from now on. Microsoft's SDK for Node.js gets a twin first and
 * subscribes to its changes afterwards (`Twin.on` in `azure-iot-device`). A change between the two would reach nobody until
 * the next one. So this subscribes and gets the twin once more: on one connection, a hub answers in order.
 *
 * Add the listeners of `properties.desired` to the result. The SDK calls each at once with the current properties.
 *
 * @throws what the SDK throws when the hub does not answer
 */
export async function currentTwin(client: TwinClient): Promise<Twin> {
  const twin = await client.getTwin();
  twin.on('properties.desired', () => {});
  return twin.get();
}
