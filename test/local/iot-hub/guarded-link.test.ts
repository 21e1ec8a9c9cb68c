import { expect, test } from '@jest/globals';
import type { DeviceLink } from '../../../local/iot-hub/hub/device-link.ts';
import { guardedLink } from '../../../local/iot-hub/hub/guarded-link.ts';

function defect(): never {
  throw new Error('a defect');
}

function guardedBy(own: Partial<DeviceLink>) {
  const errors: string[] = [];
  const log = { info() {}, warn() {}, error: (line: string) => void errors.push(line) };
  const link: DeviceLink = {
    notifyDesired: defect,
    callMethod: defect,
    deliver: defect,
    fail: defect,
    close: defect,
    ...own,
  };
  return { link: guardedLink(link, log), errors };
}

test.each<[string, (link: DeviceLink) => unknown, unknown]>([
  ['notify', (link) => link.notifyDesired({} as never), false],
  ['call', (link) => link.callMethod({ requestId: '1', name: 'x', payload: 'null' }), false],
  ['deliver', (link) => link.deliver(), undefined],
  ['fail', (link) => link.fail('transport'), undefined],
])(
  'a link that throws (%s) is closed with a line in the log, and its caller goes on',
  (_what, act, result) => {
    let closed = 0;
    const { link, errors } = guardedBy({
      close() {
        closed += 1;
      },
    });

    expect(act(link)).toBe(result);

    expect(closed).toBe(1);
    expect(errors).toEqual(['The connection of a device failed: a defect']);
  },
);

test('a link that throws also when it is closed does not reach its caller', () => {
  const { link, errors } = guardedBy({});

  link.deliver();

  expect(errors).toHaveLength(2);
});
