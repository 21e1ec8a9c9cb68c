import { describe, expect, test } from '@jest/globals';
import { edgeProfiles } from '../../../local/devices/device-profiles.ts';
import { readOptions } from '../../../local/options.ts';

describe('the number of simulated Edge devices', () => {
  test.each([
    [[], 2],
    [['--devices', '5'], 0],
    [['--devices', '5', '--edge-devices', '3'], 3],
    [['--edge-devices', '0'], 0],
  ])('%j: %i', (argv, expected) => {
    expect(readOptions(argv).edgeDevices).toBe(expected);
  });

  test('they have ids of their own and the capability', () => {
    expect(edgeProfiles(2)).toMatchObject([
      { deviceId: 'edge-0001', isEdge: true },
      { deviceId: 'edge-0002', isEdge: true },
    ]);
  });
});
