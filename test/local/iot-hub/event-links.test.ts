import { EventHubConsumerClient } from '@azure/event-hubs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import rhea, { type EventContext } from 'rhea';
import { startEventHubs } from '../../../local/event-hubs/index.ts';
import { builtInPolicies } from '../../../local/iot-hub/index.ts';
import { berthPlan } from '../../../local/plan/berth-plan.ts';
import { builtInConnection, eventHubsOf } from '../../../local/plan/delivery.ts';
import { type LocalHubs, startLocalHubs, WEU } from './local-hubs.ts';

let local: LocalHubs;
beforeAll(async () => {
  local = await startLocalHubs({
    eventsAt: (host) => ({
      hostname: 'localhost',
      port: 5671,
      eventHub: `iothub-ehub-${host.split('.')[0]}`,
    }),
  });
});
afterAll(() => local.close());

/** The error of a receiver at an address of a hub, for a client with the password of a policy. */
function refusalOf(policy: string, address: string): Promise<unknown> {
  const key = builtInPolicies().find(({ keyName }) => keyName === policy)?.key ?? '';
  const password = SharedAccessSignature.create(WEU, policy, key, Math.ceil(Date.now() / 1_000) + 3_600);
  const container = rhea.create_container();
  const connection = container.connect({
    transport: 'tls',
    host: 'localhost',
    port: local.ports.amqps,
    servername: WEU,
    hostname: WEU,
    ca: local.authority.root,
    username: `${policy}@sas.root.contoso-weu`,
    password: password.toString(),
    reconnect: false,
  } as Parameters<typeof container.connect>[0]);
  return new Promise((resolve, reject) => {
    connection.once('connection_error', reject);
    connection.once('disconnected', reject);
    connection.on('receiver_error', ({ receiver }: EventContext) => resolve(receiver?.error));
    connection.on('receiver_open', () => {});
    connection.open_receiver({ source: { address } });
  }).finally(() => connection.close());
}

describe('messages/events of a hub', () => {
  test('sends a service to the Event Hub-compatible endpoint, with its name in the address', async () => {
    expect(await refusalOf('service', `amqps://${WEU}/messages/events/$management`)).toMatchObject({
      condition: 'amqp:link:redirect',
      info: {
        hostname: 'localhost',
        port: 5671,
        address: 'amqps://localhost:5671/iothub-ehub-contoso-weu/$management',
      },
    });
  });

  test('refuses a policy without the right ServiceConnect', async () => {
    expect(
      await refusalOf('registryRead', 'messages/events/ConsumerGroups/$Default/Partitions/0'),
    ).toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
  });
});

describe('the Event Hub-compatible endpoint of a hub', () => {
  test('takes the keys of the policies with ServiceConnect, for its own Event Hub only', async () => {
    const eventHubs = await startEventHubs({
      port: 0,
      hubs: eventHubsOf(berthPlan([{ host: WEU, tier: 'S1', units: 1 }])),
    });
    const connection = builtInConnection(WEU, eventHubs);
    const ids = async (connectionString: string) => {
      const client = new EventHubConsumerClient('$Default', connectionString, {
        retryOptions: { maxRetries: 0 },
      });
      return client.getPartitionIds().finally(() => client.close());
    };

    expect(connection).toContain('SharedAccessKeyName=service;');
    expect(await ids(connection)).toEqual(['0', '1', '2', '3']);
    await expect(ids(connection.replace('iothub-ehub-contoso-weu', 'twin-events'))).rejects.toMatchObject({
      code: 'UnauthorizedError',
    });
    await eventHubs.close();
  });
});
