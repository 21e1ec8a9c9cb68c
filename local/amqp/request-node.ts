import { setImmediate as settled } from 'node:timers/promises';
import type { EventContext, Receiver, Sender } from 'rhea';
import { notAllowed, undecodable } from './conditions.ts';
import { MalformedMessageError } from './encoding.ts';
import { type NodeRequest, type NodeResponse, ResponseLinks, readRequest } from './response-links.ts';
import type { AmqpClient, AmqpNode, OpenedLink } from './service.ts';
import { reject } from './settlement.ts';

/**
 * A node that answers requests, such as `$cbs` and `$management`: the client sends on one link and receives the answers on
 * another. A request is settled before it is answered, because the client for .NET fails otherwise.
 *
 * @param answer If it throws or rejects, the connection ends.
 */
export function createRequestNode(
  client: AmqpClient,
  answer: (request: NodeRequest) => NodeResponse | Promise<NodeResponse>,
): AmqpNode {
  const links = new ResponseLinks();
  const respond = async (request: NodeRequest, response: NodeResponse | Promise<NodeResponse>) => {
    try {
      // Both at once: a response that is rejected in this tick would end the whole local stack if nothing waited for it.
      const [answered] = await Promise.all([response, settled()]);
      links.answer(request, answered);
    } catch (error) {
      // rhea's guards do not cover this tick. An error here would end the whole local stack.
      client.drop(String(error));
    }
  };
  return {
    openReceiver({ link }: OpenedLink<Receiver>) {
      const address = link.target?.address;
      if (typeof address !== 'string') return notAllowed('The link has no target.');
      link.set_target({ address });
      link.on('message', ({ message, delivery }: { message?: unknown } & Pick<EventContext, 'delivery'>) => {
        try {
          const request = readRequest(Buffer.isBuffer(message) ? message : Buffer.alloc(0));
          delivery?.accept();
          void respond(request, answer(request));
        } catch (error) {
          if (!(error instanceof MalformedMessageError)) throw error;
          if (delivery !== undefined) reject(delivery, undecodable(error.message));
        }
      });
      return undefined;
    },
    openSender({ link }: OpenedLink<Sender>) {
      link.set_source({ address: link.source?.address });
      links.add(link);
      return undefined;
    },
  };
}
