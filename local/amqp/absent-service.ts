import { notImplemented } from './conditions.ts';
import type { AmqpNode, AmqpService } from './service.ts';

/** A service of Azure whose AMQP is not on this port. */
export interface Absence {
  readonly name: string;
  /** Its host names, in lower case and without a port. */
  readonly hosts: RegExp;
  /** Whether the address of a link or the audience of a token is of this service. */
  readonly knows: (address: string) => boolean;
  /** The message for its clients. */
  readonly reason: string;
}

/** Tells the clients of an absent service the reason, so that they do not look for the fault in their keys. */
export function createAbsentService({ name, hosts, knows, reason }: Absence): AmqpService {
  const refuse = () => notImplemented(reason);
  const node: AmqpNode = { openReceiver: refuse, openSender: refuse };
  return {
    name,
    serves: (host) => hosts.test(host),
    connect(client) {
      if (client.host !== undefined && hosts.test(client.host)) client.close(refuse());
      return {
        putToken: ({ audience }) => (knows(audience) ? { status: 501, ...refuse() } : undefined),
        node: (address) => (knows(address) ? node : undefined),
        closed() {},
      };
    },
  };
}
