import type { Twin } from 'azure-iot-device';

/** The client of a device or a module, as far as it is used here. */
interface TwinClient {
  getTwin(): Promise<Twin>;
}

/**
 * The twin of a device or module. From now on, the hub sends its changes. Microsoft's SDK for Node.js first gets a twin and then
 * subscribes to its changes (`Twin.on` in `azure-iot-device`). The device does not get a change that comes in between. So this
 * function subscribes and then gets the twin again. On one connection, a hub answers in order.
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
