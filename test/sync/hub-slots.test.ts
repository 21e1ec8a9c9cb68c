import { expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { HubSlots } from '../../src/sync/events/hub-slots.ts';

const WEU = hostName('weu.azure-devices.net');
const NEU = hostName('neu.azure-devices.net');

/** Lets every promise that can be fulfilled be fulfilled. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('at most as many twins of a hub as there are places call it at the same time', async () => {
  const slots = new HubSlots(2);
  const entered: string[] = [];
  const twins = ['a', 'b', 'c'].map((name) => ({ name, slot: slots.slot(WEU) }));

  for (const { name, slot } of twins) void slot.enter().then(() => entered.push(name));
  await settle();
  expect(entered).toEqual(['a', 'b']);

  twins[0]?.slot.leave();
  await settle();
  expect(entered).toEqual(['a', 'b', 'c']);
});

test('a full hub does not delay twins of another hub', async () => {
  const slots = new HubSlots(1);
  await slots.slot(WEU).enter();

  await slots.slot(NEU).enter();
});

test('a twin that has a place enters again at once, and a twin without a place can leave', async () => {
  const slots = new HubSlots(1);
  const slot = slots.slot(WEU);

  await slot.enter();
  await slot.enter();
  slots.slot(WEU).leave();
  slot.leave();

  await slots.slot(WEU).enter();
});
