import { app } from '@azure/functions';
import type { Instance } from '../instance/instance.ts';
import { describeDevice } from '../overview/device.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** One device: its hub, the status of its twins with reasons, and its last allocation decisions. */
export function registerDevice(instance: Instance): void {
  app.http('device', {
    methods: ['GET'],
    authLevel: 'function',
    route: 'devices/{deviceId}',
    handler: device(instance),
  });
}

/** Query: `registrationId`, where an individual enrollment gives the device another id than it registers with. */
export function device(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const fleet = instance.fleet.current();
    const redaction = await instance.redaction(fleet);
    const { history: _, ...answer } = await describeDevice(
      { stores: instance.stores, fleet, redaction, now: instance.now() },
      request.params.deviceId ?? '',
      request.query.get('registrationId') ?? undefined,
    );
    return jsonAnswer(200, answer);
  });
}
