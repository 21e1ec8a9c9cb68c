import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { ServiceQueue } from '../hub/service-queue.ts';
import type { Address } from '../model/address.ts';
import type { DataAction } from '../model/data-action.ts';
import { HubRefusal } from '../model/hub-error.ts';
import type { Serve, ServiceOperations } from './operation.ts';

type QueueOf = (hub: LocalHub) => ServiceQueue;

/**
 * Feedback and file notifications over HTTPS (REST API 2018-06-30, "Receive Feedback Notification" and "Receive File Upload
 * Notification"). The etag of a message is its lock token.
 */
export const SERVICE_QUEUE_OPERATIONS: ServiceOperations = [
  ...operationsOf('feedback', (hub) => hub.feedback, 'cloudToDeviceMessages/feedback/action'),
  ...operationsOf('filenotifications', (hub) => hub.fileNotifications, 'fileUpload/notifications/action'),
];

function operationsOf(name: string, queueOf: QueueOf, action: DataAction): ServiceOperations {
  const path = `/messages/servicebound/${name}`;
  return [
    [`GET ${path}`, { serve: receive(queueOf), right: 'ServiceConnect', action }],
    [
      `DELETE ${path}/{id}`,
      { serve: settle((hub, token) => queueOf(hub).complete(token)), right: 'ServiceConnect', action },
    ],
    [
      `POST ${path}/{id}/abandon`,
      { serve: settle((hub, token) => queueOf(hub).abandon(token)), right: 'ServiceConnect', action },
    ],
  ];
}

function receive(queueOf: QueueOf): Serve {
  return async (hub) => {
    const message = queueOf(hub).receive();
    if (message === undefined) return { status: 204 };
    return {
      status: 200,
      headers: {
        ETag: `"${message.lockToken}"`,
        'Content-Type': 'application/json; charset=utf-8',
        'iothub-enqueuedtime': new Date(message.enqueuedAt).toISOString(),
        'iothub-userid': hub.name,
      },
      bytes: Buffer.from(message.body),
    };
  };
}

function settle(end: (hub: LocalHub, lockToken: string) => boolean): Serve {
  return async (
    hub: LocalHub,
    _request: HttpRequest,
    { deviceId: lockToken }: Address,
  ): Promise<HttpResponse> => {
    if (end(hub, lockToken)) return { status: 204 };
    throw new HubRefusal('DeviceMessageLockLost', 'The lock of the message is lost or unknown.');
  };
}
