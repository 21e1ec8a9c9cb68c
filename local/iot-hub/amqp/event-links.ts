import type { AmqpError } from '../../amqp/index.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { OpenHubLinks } from './hub-service.ts';

/** Where the events of the built-in endpoint of a hub are read. */
export interface EventsPlace {
  /** Host name of the Event Hubs namespace. */
  readonly hostname: string;
  /** Port of AMQP over TLS. */
  readonly port: number;
  /** The Event Hub-compatible name. */
  readonly eventHub: string;
}

/** A refusal with the place to which the client must connect instead. */
interface AmqpRedirect extends AmqpError {
  readonly info: Readonly<Record<string, unknown>>;
}

const REDIRECT = 'amqp:link:redirect';

/**
 * The links to `messages/events` of a hub. As in Azure, the hub does not serve them: it tells a client with the right
 * `ServiceConnect` where its Event Hub-compatible endpoint is. The client finds the name of the Event Hub in the address
 * (iot-hub-devguide-messages-read-builtin.md, and the sample of azure-sdk-for-js that makes a connection string of it).
 */
export function openEventLinks(placeOf: (hub: LocalHub) => EventsPlace | undefined): OpenHubLinks {
  return ({ access }) => ({
    node(path) {
      const [messages, events, ...rest] = path.map((segment) => segment.toLowerCase());
      if (messages !== 'messages' || events !== 'events') return undefined;
      return {
        openSender() {
          const hub = access.service('ServiceConnect', '/messages/events');
          if (!('store' in hub)) return hub;
          const place = placeOf(hub);
          return place && redirectTo(place, path.slice(path.length - rest.length));
        },
      };
    },
  });
}

function redirectTo({ hostname, port, eventHub }: EventsPlace, rest: readonly string[]): AmqpRedirect {
  const address = ['amqps:/', `${hostname}:${port}`, eventHub, ...rest].join('/');
  return {
    condition: REDIRECT,
    description: 'The events of the hub are at its Event Hub-compatible endpoint.',
    info: { hostname, 'network-host': hostname, port, address },
  };
}
