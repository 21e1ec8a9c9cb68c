import type { Receiver, Sender } from 'rhea';
import { unauthorized } from '../../amqp/conditions.ts';
import type { AmqpClient, AmqpError, AmqpService, AmqpSession, OpenedLink } from '../../amqp/index.ts';
import { createRequestNode } from '../../amqp/index.ts';
import { linkInternals } from '../../amqp/rhea-internals.ts';
import { ACCESS_KEY } from '../access-key.ts';
import { entityNotFound, invalidFilter, partitionOutOfRange, positionBeyondEnd } from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import { parseEventPosition } from '../event-position.ts';
import { Access } from './access.ts';
import { answerClaim } from './claims.ts';
import { type EntityAddress, isOfIotHub, parseEntityAddress } from './entity-address.ts';
import { answerManagement } from './management.ts';
import { openProducerLink } from './producer-link.ts';
import { ReaderLink } from './reader-link.ts';
import { RUNTIME_METRICS, readReaderRequest } from './reader-request.ts';

/** The event hubs that a client can use. */
export interface Namespace {
  /** Names of event hubs are not case-sensitive. */
  readonly findHub: (name: string) => EventHub | undefined;
  readonly now: () => number;
}

type ReaderAddress = Extract<EntityAddress, { kind: 'reader' }>;
type ProducerAddress = Extract<EntityAddress, { kind: 'hub' | 'partition' }>;

/** The host names of namespaces. */
const HOST = /\.servicebus\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)$/;

/** Event Hubs over AMQP. */
export function createEventHubsService(namespace: Namespace): AmqpService {
  return {
    name: 'Event Hubs',
    serves: (host) => HOST.test(host),
    checkPlain({ userName, password }) {
      if (userName !== ACCESS_KEY.keyName) return undefined;
      if (password !== ACCESS_KEY.key) return 'refused';
      return { connect: (client) => connect(client, namespace, true) };
    },
    connect: (client) => connect(client, namespace, false),
  };
}

/** Serves the links of one client. The address of a link makes it a request node, a producer or a reader. */
function connect(client: AmqpClient, namespace: Namespace, hasProvedKey: boolean): AmqpSession {
  const { findHub, now } = namespace;
  const access = new Access(now);
  if (hasProvedKey) access.grantAll();
  const management = createRequestNode(client, (request) => answerManagement(request, findHub, access));

  return {
    putToken: (claim) =>
      isOfIotHub(claim.audience) ? undefined : answerClaim(claim, findHub, access, now()),
    node(text) {
      const address = parseEntityAddress(text);
      switch (address.kind) {
        case 'management':
          return management;
        case 'hub':
        case 'partition':
          return { openReceiver: ({ link }) => openProducer(link, address) };
        case 'reader':
          return { openSender: (link) => openReader(link, address) };
        case 'unknown':
          return undefined;
      }
    },
    closed() {},
  };

  function openProducer(receiver: Receiver, address: ProducerAddress): AmqpError | undefined {
    const hub = findHub(address.hub);
    if (hub === undefined) return entityNotFound(receiver.target.address);
    if (!access.allows(hub.name)) return missingClaim('Send');
    const partition = address.kind === 'partition' ? hub.partition(address.partitionId) : undefined;
    if (address.kind === 'partition' && partition === undefined)
      return partitionOutOfRange(hub.partitions.length);
    receiver.set_target({ address: receiver.target.address });
    openProducerLink({ receiver, hub, partition, inbound: client.inbound, log: client.log });
    return undefined;
  }

  /** Starts to send events. Returns the reason of a refusal, or undefined. */
  function openReader(
    { link: sender, whenClosed }: OpenedLink<Sender>,
    address: ReaderAddress,
  ): AmqpError | undefined {
    const { source } = sender;
    const hub = findHub(address.hub);
    if (hub === undefined) return entityNotFound(source.address);
    if (!access.allows(hub.name)) return missingClaim('Listen');
    const partition = hub.partition(address.partitionId);
    if (partition === undefined) return partitionOutOfRange(hub.partitions.length);
    const readers = hub.readers(address.consumerGroup, partition);
    if (readers === undefined) return entityNotFound(source.address);

    const { filter, name, epoch, runtimeMetrics } = readReaderRequest(sender);
    const position = parseEventPosition(filter);
    if (position === undefined) return invalidFilter(filter ?? '');
    const start = partition.start(position);
    if (!start.ok) return positionBeyondEnd(start.by, start.value, start.last);

    const reader = new ReaderLink({
      sender,
      stream: client.stream,
      partition,
      name,
      epoch,
      next: start.sequenceNumber,
      runtimeMetrics,
      now,
      log: client.log,
    });
    const refusal = readers.admit(reader);
    if (refusal !== undefined) return refusal;
    whenClosed(() => {
      reader.stop();
      readers.remove(reader);
    });

    sender.set_source({
      address: source.address,
      ...(source.filter == null ? {} : { filter: source.filter }),
    });
    if (runtimeMetrics) linkInternals(sender).local.attach.offered_capabilities = RUNTIME_METRICS;
    reader.start();
    return undefined;
  }
}

function missingClaim(claim: 'Send' | 'Listen'): AmqpError {
  return unauthorized(`Unauthorized access. '${claim}' claim(s) are required to perform this operation.`);
}
