import type { Receiver, Sender } from 'rhea';
import { undecodable } from '../../../amqp/conditions.ts';
import { MalformedMessageError } from '../../../amqp/encoding.ts';
import { type AmqpClient, type AmqpError, amqpError, openInbox } from '../../../amqp/index.ts';
import { countRefusal } from '../../device-api/device-requests.ts';
import type { DeviceLink } from '../../hub/connections.ts';
import { connectDevice, disconnectDevice, type LocalHub } from '../../hub/hub.ts';
import type { Address } from '../../model/address.ts';
import { HubRefusal } from '../../model/hub-error.ts';
import type { FaultTarget } from '../../model/injected-fault.ts';
import { warnAboutInputs } from '../../operations/input-messages.ts';
import { acceptTelemetry, MAX_TELEMETRY_BYTES } from '../../operations/telemetry.ts';
import { conditionOf } from '../hub-access.ts';
import { type CloudMessageLink, openCloudMessageLink } from './cloud-message-link.ts';
import { MethodChannel } from './method-channel.ts';
import { readTelemetry } from './telemetry-message.ts';
import { TwinChannel } from './twin-channel.ts';

/** Longest delay of a timer in Node.js. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const FAULT = 'The device has asked for this fault (AzIoTHub_FaultOperationType).';

/** The name of a link in a fault. Direct methods are requests of the hub, twin operations requests of the device. */
function linkTarget(node: DeviceNode, isSender: boolean): FaultTarget {
  if (node === 'twin') return isSender ? 'twinResponses' : 'twinRequests';
  if (node === 'methods') return isSender ? 'methodRequests' : 'methodResponses';
  return node;
}

/** What a link of a device is for, from the end of its address. */
export type DeviceNode = 'telemetry' | 'cloudMessages' | 'twin' | 'methods';

/**
 * A device or module on an AMQP connection. It is connected while it has a link: an AMQP connection can carry the links of
 * many devices (azure-iot-sdk-csharp, connection pooling).
 */
export class ConnectedDevice implements DeviceLink {
  readonly #hub: LocalHub;
  readonly #address: Address;
  readonly #client: AmqpClient;
  readonly #onEnd: (isEndedByHub: boolean) => boolean;
  readonly #links = new Map<Sender | Receiver, DeviceNode>();
  readonly #twin: TwinChannel;
  readonly #methods: MethodChannel;
  readonly #cloudMessages = new Map<Sender, CloudMessageLink>();
  #expiry: NodeJS.Timeout | undefined;
  #isEnded = false;

  /**
   * @param expires when its token expires, in milliseconds since the epoch; undefined: never.
   * @param onEnd called when its last link has ended, or when the hub ends it. Returns whether the connection ends too.
   */
  constructor(
    hub: LocalHub,
    address: Address,
    client: AmqpClient,
    expires: number | undefined,
    onEnd: (isEndedByHub: boolean) => boolean,
  ) {
    this.#hub = hub;
    this.#address = address;
    this.#client = client;
    this.#onEnd = onEnd;
    this.#twin = new TwinChannel(hub, address);
    this.#methods = new MethodChannel(hub, address);
    hub.counters.deviceConnections += 1;
    connectDevice(hub, address, this);
    this.renew(expires);
    // A client with a token has waited for the permit before its token was accepted.
    if (expires === undefined) void this.#admit();
  }

  /** Takes the expiry of a newer token. */
  renew(expires: number | undefined): void {
    clearTimeout(this.#expiry);
    if (expires === undefined) return;
    const end = () => this.#endGuarded(amqpError('amqp:unauthorized-access', 'The token has expired.'));
    this.#expiry = setTimeout(end, Math.min(expires - this.#hub.now(), MAX_TIMER_MS)).unref();
  }

  /** Opens a link on which the device sends. */
  openReceiver(node: DeviceNode, link: Receiver): void {
    this.#links.set(link, node);
    if (node === 'twin') this.#twin.openRequests(this.#client, link);
    else if (node === 'methods') this.#methods.openAnswers(this.#client, link);
    else this.#openTelemetry(link);
  }

  /** Opens a link on which the device receives. */
  openSender(node: DeviceNode, link: Sender): void {
    this.#links.set(link, node);
    if (node === 'twin') this.#twin.openResponses(link);
    else if (node === 'methods') this.#methods.openCalls(link);
    else if (node === 'telemetry') warnAboutInputs(this.#hub, this.#address);
    else this.#cloudMessages.set(link, openCloudMessageLink(this.#hub, this.#address, link));
  }

  /** A link has ended. Without links, the device is disconnected. */
  closed(link: Sender | Receiver): void {
    this.#release(link);
    if (this.#links.size === 0) this.#disconnect(false);
  }

  #release(link: Sender | Receiver): void {
    this.#links.delete(link);
    if (link.is_sender()) {
      const sender = link as Sender;
      this.#twin.close(sender);
      this.#methods.close(sender);
      const messages = this.#cloudMessages.get(sender);
      this.#cloudMessages.delete(sender);
      messages?.closed();
    }
  }

  notifyDesired: DeviceLink['notifyDesired'] = (patch) => this.#twin.notify(patch);

  callMethod: DeviceLink['callMethod'] = (call) => this.#methods.call(call);

  deliver(): void {
    for (const link of this.#cloudMessages.values()) link.deliver();
  }

  fail(target: FaultTarget): void {
    if (target === 'transport') this.#client.end();
    else if (target === 'connection') this.#client.close(amqpError('amqp:connection:forced', FAULT));
    else if (target === 'session') {
      const sessions = new Set([...this.#links.keys()].map(({ session }) => session));
      for (const session of sessions) session.close(amqpError('amqp:session:errant-link', FAULT));
    } else {
      const ending = [...this.#links].filter(([link, node]) => linkTarget(node, link.is_sender()) === target);
      for (const [link] of ending) link.close(amqpError('amqp:link:detach-forced', FAULT));
    }
  }

  /** The hub ends the links: the device was deleted, disabled, or has a newer connection. */
  close(): void {
    if (this.#links.size === 0) return;
    this.#end(
      amqpError('amqp:link:stolen', 'The device has a newer connection, or it was deleted or disabled.'),
    );
  }

  #end(error: AmqpError): void {
    if (this.#isEnded) return;
    const links = [...this.#links.keys()];
    for (const link of links) this.#release(link);
    // If the client for JavaScript gets errors of links and then loses its connection, it waits 45 s.
    if (!this.#disconnect(true)) for (const link of links) link.close(error);
  }

  #disconnect(isEndedByHub: boolean): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    clearTimeout(this.#expiry);
    disconnectDevice(this.#hub, this.#address, this);
    return this.#onEnd(isEndedByHub);
  }

  async #admit(): Promise<void> {
    try {
      await this.#hub.admit('connections');
    } catch (error) {
      if (!(error instanceof HubRefusal)) return; // the hub closes
      this.#hub.counters.deviceThrottled += 1;
      this.#endGuarded(conditionOf(error));
    }
  }

  /** Ends the device in a timer or a promise, where nothing else guards it. */
  #endGuarded(error: AmqpError): void {
    try {
      this.#end(error);
    } catch (reason) {
      this.#client.drop(String(reason));
    }
  }

  #openTelemetry(receiver: Receiver): void {
    const take = async (bytes: Buffer, format: number): Promise<AmqpError | undefined> => {
      try {
        await acceptTelemetry(this.#hub, this.#address, readTelemetry(bytes, format));
        return undefined;
      } catch (error) {
        if (error instanceof MalformedMessageError) return undecodable(error.message);
        if (!(error instanceof HubRefusal)) throw error;
        countRefusal(this.#hub, error);
        return conditionOf(error);
      }
    };
    openInbox({ client: this.#client, receiver, maxMessageSize: MAX_TELEMETRY_BYTES, take });
  }
}
