import type { AmqpClient, AmqpNode, AmqpService, AmqpSession } from '../../amqp/index.ts';
import type { Address } from '../model/address.ts';
import { HubAccess, type Hubs, parseLoginName } from './hub-access.ts';

/** One AMQP connection to the hubs, for the parts that serve its links. */
export interface HubConnection {
  readonly client: AmqpClient;
  readonly hubs: Hubs;
  /** What the client has proved so far. */
  readonly access: HubAccess;
}

/**
 * The links of one connection that a part of the hub serves, such as those of devices. Each part has its own addresses.
 */
export interface HubLinks {
  /**
   * The node at an address; undefined: not of this part.
   *
   * @param path the decoded segments. @example ['devices', 'dev-1', 'twin']
   * @param written the segments as the client has written them.
   */
  node(path: readonly string[], written: readonly string[]): AmqpNode | undefined;
  /** Called when a device or module has shown a token that counts, also a newer one. `expires`: milliseconds since the epoch. */
  authorized?(address: Address, expires: number | undefined): void;
  /** Called once when the connection has ended. All links are closed before. */
  closed?(): void;
}

/** Makes the links of a new connection. */
export type OpenHubLinks = (connection: HubConnection) => HubLinks;

/** The host names of hubs. Unknown ones too: their clients are told that the hub is unknown. */
const HOST = /\.azure-devices\.(?:net|cn|us)$/;

/**
 * All local hubs over AMQP. The parts serve the links: the first one that knows an address gets the link.
 *
 * @example createHubAmqpService(hubs, [openDeviceLinks, openServiceLinks])
 */
export function createHubAmqpService(hubs: Hubs, parts: readonly OpenHubLinks[]): AmqpService {
  const connect = (client: AmqpClient, access: HubAccess): AmqpSession => {
    const links = parts.map((open) => open({ client, hubs, access }));
    return {
      putToken: (claim) =>
        access.putToken(claim, client.host, (address, expires) => {
          for (const part of links) part.authorized?.(address, expires);
        }),
      node(address) {
        const written = segments(address);
        const path = written.map(decoded);
        for (const part of links) {
          const node = part.node(path, written);
          if (node !== undefined) return node;
        }
        return undefined;
      },
      closed() {
        for (const part of links) part.closed?.();
      },
    };
  };
  return {
    name: 'IoT Hub',
    serves: (host) => HOST.test(host) || hubs.hubOf(host) !== undefined,
    async checkPlain({ userName, password, host }) {
      const name = parseLoginName(userName);
      if (name === undefined) return undefined;
      const access = new HubAccess(hubs);
      return (await access.login(name, password, host))
        ? { connect: (client) => connect(client, access) }
        : 'refused';
    },
    connect: (client) => connect(client, new HubAccess(hubs)),
  };
}

/** The segments of a path or of the path of a URL. */
function segments(address: string): readonly string[] {
  return address
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
    .split('/')
    .filter((segment) => segment !== '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
