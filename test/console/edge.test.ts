import { describe, expect, test } from '@jest/globals';
import { edgeHeadline, edgeWords, imageParts, moduleWords } from '../../console/words/edge.ts';
import { EDGE_MODULE_STATUSES } from '../../src/edge/reported-modules.ts';
import { EDGE_COUNTS } from '../../src/twin/snapshot/edge-device-status.ts';

describe('the words of IoT Edge', () => {
  test('exist for every status of devices and modules that the API can send', () => {
    const unknown = edgeWords('new status').meaning;

    expect(EDGE_COUNTS.filter((status) => edgeWords(status).meaning === unknown)).toEqual([]);
    expect(EDGE_MODULE_STATUSES.filter((status) => moduleWords(status).meaning === unknown)).toEqual([]);
    expect(edgeWords('constructor')).toMatchObject({ label: 'constructor', meaning: unknown });
  });

  test.each([
    [{}, 'No IoT Edge device is stored yet.'],
    [{ running: 1 }, '1 of 1 IoT Edge device runs what is wanted.'],
    [{ running: 2, failed: 1 }, '2 of 3 IoT Edge devices run what is wanted.'],
    [
      { running: 1, notMatched: 1 },
      '1 of 1 IoT Edge device runs what is wanted. 1 more matches no deployment, so Berth leaves it alone.',
    ],
    [
      { applied: 2, notMatched: 3 },
      '0 of 2 IoT Edge devices run what is wanted. 3 more match no deployment, so Berth leaves them alone.',
    ],
  ])('say of %j: %s', (devices, expected) => {
    expect(edgeHeadline(devices)).toBe(expected);
  });

  test.each([
    ['a.io/sensor:1.6', 'a.io/sensor', '1.6'],
    ['a.io:5000/sensor', 'a.io:5000/sensor', 'latest'],
    ['a.io:5000/sensor:2', 'a.io:5000/sensor', '2'],
    ['a.io/sensor@sha256:abc', 'a.io/sensor', 'sha256:abc'],
  ])('split the image %s into its repository and its version', (image, repository, version) => {
    expect(imageParts(image)).toEqual({ repository, version });
  });
});
