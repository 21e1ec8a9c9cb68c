import type { DeviceHistory } from '../api/contract.ts';
import type { Instance } from '../instance/instance.ts';
import { historyOfDevice } from '../overview/device-history.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';
import { storedDevice } from './stored-device.ts';

/** Older items are counted only. */
const MOST_ITEMS = 500;

/** What is known of the past of one device. */
export function deviceHistory(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const deviceId = request.params.deviceId ?? '';
    const all = historyOfDevice(await storedDevice(instance, deviceId, request.query));
    const items = all.slice(0, MOST_ITEMS);
    return taggedAnswer<DeviceHistory>(request, { deviceId, items, more: all.length - items.length });
  });
}
