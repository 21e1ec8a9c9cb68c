import { expect, test } from '@jest/globals';
import { rememberingLast } from '../../src/allocation/request/remembering-last.ts';
import { requestOf } from './requests.ts';

test('a list of texts is read once while its texts stay the same', () => {
  let times = 0;
  const joined = rememberingLast((texts) => {
    times += 1;
    return texts.join('+');
  });

  expect([joined(['a', 'b']), joined(['a', 'b']), times]).toEqual(['a+b', 'a+b', 1]);
  expect([joined(['a', 'c']), joined(['a']), joined(['a', 'c', 'd']), times]).toEqual([
    'a+c',
    'a',
    'a+c+d',
    4,
  ]);
});

test('requests with other hubs, or with several names of one hub, are not read as the request before them', () => {
  const linked = (linkedHubs: readonly string[], iotHubs: readonly string[] = []) => {
    const request = requestOf({ linkedHubs, group: { iotHubs } });
    return { hubs: request.linkedHubs.map(({ text }) => text), selected: request.enrollment.iotHubs };
  };
  const [weu, neu] = ['weu.azure-devices.net', 'neu.azure-devices.net'] as const;

  for (let times = 0; times < 2; times += 1) {
    expect(linked([weu, neu])).toEqual({ hubs: [weu, neu], selected: [] });
    expect(linked([neu, weu], [weu])).toEqual({ hubs: [neu, weu], selected: [weu] });
    expect(linked([weu, 'WEU.azure-devices.net'], [neu, neu])).toEqual({
      hubs: ['WEU.azure-devices.net'],
      selected: [neu],
    });
    expect(linked([weu])).toEqual({ hubs: [weu], selected: [] });
  }
});
