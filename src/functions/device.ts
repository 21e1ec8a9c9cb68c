import type { DeviceStatus } from '../api/contract.ts';
import type { Instance } from '../instance/instance.ts';
import { describeStatus } from '../overview/device-status.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';
import { storedDevice } from './stored-device.ts';

/** One device: its hub, the status of its twins with reasons, and its last allocation decisions. */
export function device(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const deviceId = request.params.deviceId ?? '';
    const stored = await storedDevice(instance, deviceId, request.query);
    return taggedAnswer<DeviceStatus>(request, describeStatus(deviceId, stored, instance.now()));
  });
}
