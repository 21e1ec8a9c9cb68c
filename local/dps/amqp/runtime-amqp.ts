import rhea, { type Receiver, type Sender } from 'rhea';
import { MalformedMessageError } from '../../amqp/encoding.ts';
import {
  type AmqpClient,
  type AmqpError,
  type AmqpNode,
  type AmqpService,
  type AmqpSession,
  type OpenedLink,
  Outbox,
  openInbox,
} from '../../amqp/index.ts';
import { messageIdsIn } from '../../amqp/message-ids.ts';
import type { AttestedDevice, Evidence } from '../registration/attestation.ts';
import { type Attester, refusalText } from '../registration/attester.ts';
import type { DpsRefusal } from '../registration/dps-error.ts';
import type { RegistrationService, RuntimeAnswer } from '../registration/registration-service.ts';
import { MAX_MESSAGE_BYTES } from '../registration/webhook.ts';
import { type RegistrationAddress, readRegistrationAddress } from './registration-address.ts';
import { type Proved, TpmMechanism } from './tpm-mechanism.ts';

/* The application properties of requests and answers: azure-iot-provisioning-device-amqp, azure-iot-sdk-csharp. */
const OPERATION_TYPE = 'iotdps-operation-type';
const OPERATION_ID = 'iotdps-operation-id';
const STATUS = 'iotdps-status';
/** The SDK for Node.js reads the first spelling, the one for C# the second. */
const RETRY_AFTER = ['retry-after', 'Retry-After'] as const;

/** The host names of DPS: the global one and those of the instances. */
const HOST = /\.azure-devices-provisioning\.(?:net|cn|us)$/;
/** A message holds a body of the largest size, and its properties. */
const MAX_AMQP_MESSAGE_BYTES = MAX_MESSAGE_BYTES + 4_096;

/**
 * The runtime API over AMQP. The user name (SASL PLAIN) and the address of both links are
 * `{idScope}/registrations/{registrationId}`. A device without a user name has a certificate, or a TPM (SASL TPM). A
 * device that cannot be authenticated connects too, as over MQTT: its requests are rejected, and the description of the error
 * is the body of the refusal (ProvisioningTransportHandlerAmqp of azure-iot-sdk-csharp, with its e2e tests).
 */
export function createRuntimeAmqp(
  idScope: string,
  attester: Attester,
  service: RegistrationService,
): AmqpService {
  const connect = (client: AmqpClient, proved: Proved | undefined): AmqpSession => {
    let last: { readonly address: RegistrationAddress; readonly node: AmqpNode } | undefined;
    return {
      putToken: () => undefined,
      node(text) {
        const address = readRegistrationAddress(text, idScope);
        if (address === undefined) return undefined;
        // Both links of a device have the same address, and a device registers on a connection of its own.
        if (last === undefined || !isSame(last.address, address))
          last = { address, node: registrationNode(client, address, proved) };
        return last.node;
      },
      closed() {},
    };
  };
  return {
    name: 'DPS',
    serves: (host) => HOST.test(host),
    checkPlain({ userName, password }) {
      const address = readRegistrationAddress(userName, idScope);
      if (address === undefined) return undefined;
      const device = identify(address, { token: password, certificates: [] });
      return { connect: (client) => connect(client, { address, device }) };
    },
    mechanisms: { TPM: () => new TpmMechanism(attester) },
    connect: (client) =>
      connect(client, client.mechanism instanceof TpmMechanism ? client.mechanism.proved : undefined),
  };

  function identify(address: RegistrationAddress, evidence: Evidence): AttestedDevice | DpsRefusal {
    const found = attester({ ...address, evidence });
    return typeof found === 'object' && 'challenge' in found ? 'unauthorized' : found;
  }

  /** The links of one device: it sends its requests on one, and receives the answers on the other. */
  function registrationNode(
    client: AmqpClient,
    address: RegistrationAddress,
    proved: Proved | undefined,
  ): AmqpNode {
    let answers: Outbox | undefined;
    const device =
      proved !== undefined && isSame(proved.address, address)
        ? proved.device
        : identify(address, { token: undefined, certificates: client.certificates() });
    return {
      openSender({ link, whenClosed }: OpenedLink<Sender>) {
        const outbox = new Outbox(link, true);
        answers = outbox;
        whenClosed(() => {
          if (answers === outbox) answers = undefined;
        });
        return undefined;
      },
      openReceiver({ link }: OpenedLink<Receiver>) {
        openInbox({
          client,
          receiver: link,
          maxMessageSize: MAX_AMQP_MESSAGE_BYTES,
          take: async (bytes) => take(bytes),
        });
        return undefined;
      },
    };

    function take(bytes: Buffer): AmqpError | undefined {
      if (typeof device === 'string') return rejectionOf(service.refuse(device, refusalText(device)));
      const request = readRequest(bytes);
      if (request === undefined)
        return rejectionOf(service.refuse('invalidArgument', 'The message is not a well-formed request.'));
      const answer = respond(device, request);
      if (answer.status >= 300) return rejectionOf(answer);
      const message = encode(request.correlationId, answer);
      // The request is settled before it is answered.
      setImmediate(() => answers?.send({ message }));
      return undefined;
    }
  }

  function respond(device: AttestedDevice, { operation, operationId, body }: RuntimeRequest): RuntimeAnswer {
    if (body.length > MAX_MESSAGE_BYTES) {
      return service.refuse('tooLarge', `A message must not exceed ${MAX_MESSAGE_BYTES} bytes.`);
    }
    switch (operation) {
      case 'iotdps-register':
        return service.register(device, body);
      case 'iotdps-get-operationstatus':
        return service.poll(device, operationId);
      case 'iotdps-get-registration':
        return service.lookUp(device);
      default:
        return service.refuse('invalidArgument', `${OPERATION_TYPE} is not known: ${operation.slice(0, 60)}`);
    }
  }
}

interface RuntimeRequest {
  readonly operation: string;
  readonly operationId: string;
  /** As rhea writes it unchanged. */
  readonly correlationId: unknown;
  /** The bytes of its data sections. A body of another kind counts as empty. */
  readonly body: Buffer;
}

function readRequest(bytes: Buffer): RuntimeRequest | undefined {
  try {
    const { correlationId } = messageIdsIn(bytes);
    const { application_properties: properties = {}, body } = rhea.message.decode(bytes);
    const text = (name: string) => {
      const value: unknown = (properties as Record<string, unknown>)[name];
      return typeof value === 'string' ? value : '';
    };
    return {
      operation: text(OPERATION_TYPE),
      operationId: text(OPERATION_ID),
      correlationId,
      body: dataOf(body),
    };
  } catch (error) {
    if (error instanceof MalformedMessageError) return undefined;
    throw error;
  }
}

/** rhea gives the content of one data section as a Buffer, and of several as a list of them. */
function dataOf(body: unknown): Buffer {
  const content = (body as { readonly content?: unknown } | null | undefined)?.content;
  if (Buffer.isBuffer(content)) return content;
  return Array.isArray(content) && content.every((each) => Buffer.isBuffer(each))
    ? Buffer.concat(content)
    : Buffer.alloc(0);
}

function encode(correlationId: unknown, { status, retryAfter, body }: RuntimeAnswer): Buffer {
  return rhea.message.encode({
    correlation_id: correlationId as string,
    content_type: 'application/json; charset=utf-8',
    application_properties: {
      [STATUS]: rhea.types.wrap_int(status),
      ...retryAfterOf(retryAfter),
    },
    body: rhea.message.data_section(Buffer.from(JSON.stringify(body))),
  });
}

/** A refusal as the error of a rejected message: its description is the body of the refusal. */
function rejectionOf({ status, retryAfter, body }: RuntimeAnswer): AmqpError {
  return {
    condition: CONDITIONS.find(([from]) => status >= from)?.[1] ?? 'amqp:internal-error',
    description: JSON.stringify(body),
    ...(retryAfter !== undefined && { info: retryAfterOf(retryAfter) }),
  };
}

/** From the highest status to the lowest (the table of azure-iot-amqp-base, amqp_common_errors.js). */
const CONDITIONS = [
  [500, 'amqp:internal-error'],
  [429, 'com.microsoft:device-container-throttled'],
  [413, 'amqp:link:message-size-exceeded'],
  [404, 'amqp:not-found'],
  [401, 'amqp:unauthorized-access'],
  [400, 'com.microsoft:argument-error'],
] as const;

function retryAfterOf(seconds: number | undefined): Readonly<Record<string, unknown>> {
  if (seconds === undefined) return {};
  return Object.fromEntries(RETRY_AFTER.map((name) => [name, rhea.types.wrap_int(seconds)]));
}

function isSame(left: RegistrationAddress, right: RegistrationAddress): boolean {
  return (
    left.scope.toLowerCase() === right.scope.toLowerCase() &&
    left.registrationId.toLowerCase() === right.registrationId.toLowerCase()
  );
}
