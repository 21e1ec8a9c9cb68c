import { setTimeout as delay } from 'node:timers/promises';
import { Message, NoRetry } from 'azure-iot-common';
import { Client, type Twin, X509AuthenticationProvider } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { aborted } from '../aborted.ts';
import { currentTwin } from '../current-twin.ts';
import type { Batteries } from './batteries.ts';
import { type DeviceProfile, registrationPayload } from './device-profiles.ts';
import type { DeviceNews, DeviceProof, StartDevices } from './messages.ts';
import { type Assigned, refusalOf, register } from './registration.ts';
import { TelemetryTimer } from './telemetry.ts';

export interface DeviceOptions {
  readonly profile: DeviceProfile;
  readonly proof: DeviceProof;
  readonly stack: Omit<StartDevices, 'type' | 'devices'>;
  readonly batteries: Batteries;
  readonly publish: (news: DeviceNews) => void;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 20_000;
/** A device that rejects long intervals rejects intervals above this. */
const LONGEST_INTERVAL_MS = 30_000;
const LOW_PERCENT = 15;
const SECOND_REPORT_AFTER_MS = 1_500;
/** The desired property by which Berth asks this firmware to register again (`allocation.moves.ask` of `fleet.json`). */
const LEAVE_HUB = 'leaveHub';
/** Mean time after which a lively device registers again, like a device that loses power or its network. */
const AGAIN_AFTER_MS = 90_000;

/**
 * One simulated device, built on Microsoft's SDKs. It registers, connects, reads its twin, reports properties, applies
 * desired properties and sends telemetry at the applied interval.
 */
export class SimulatedDevice {
  readonly #options: DeviceOptions;
  #client: Client | undefined;
  #twin: Twin | undefined;
  /** The applied interval: milliseconds between two telemetry messages. */
  #interval = 1_000;
  #reporting: Promise<void> = Promise.resolve();
  #answered = 0;
  readonly #telemetry = new TelemetryTimer(() => this.#sendTelemetry());

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /** Runs until the signal is aborted. After a failure, it tries again and waits longer each time. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        await this.#live(await this.#register());
        tries = 0;
      } catch (error) {
        if (signal.aborted) return;
        const refusal = refusalOf(error);
        if (refusal !== undefined) this.#publish({ type: 'refused', message: refusal });
        else
          this.#publish({ type: 'trouble', message: error instanceof Error ? error.message : String(error) });
      }
      await this.#hangUp();
      const wait = Math.min(FIRST_RETRY_MS * 2 ** tries, LONGEST_RETRY_MS);
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  async #register(): Promise<Assigned> {
    const { profile, proof, stack } = this.#options;
    const assigned = await register({
      registrationId: profile.deviceId,
      proof,
      payload: registrationPayload(profile),
      over: profile.registersOver,
      idScope: stack.idScope,
      ca: stack.ca,
      httpsPort: stack.httpsPort,
      mqttPort: stack.mqttPort,
    });
    this.#publish({ type: 'registered', hub: assigned.hub });
    return assigned;
  }

  /** Connects the device and runs it until the connection ends. */
  async #live({ hub, deviceId }: Assigned): Promise<void> {
    const { proof, stack, signal } = this.#options;
    const gateway = `localhost:${stack.mqttPort}`;
    const client =
      proof.kind === 'key'
        ? Client.fromConnectionString(
            `HostName=${hub};DeviceId=${deviceId};SharedAccessKey=${proof.key};GatewayHostName=${gateway}`,
            Mqtt,
          )
        : Client.fromAuthenticationProvider(
            new X509AuthenticationProvider({ host: hub, deviceId, gatewayHostName: gateway }),
            Mqtt,
          );
    this.#client = client;
    // `run` reconnects after a wait. It registers again first, because the hub of the device may have changed.
    client.setRetryPolicy(new NoRetry());
    const lost = new Promise<void>((resolve) => {
      client.on('disconnect', () => resolve());
      client.on('error', () => resolve());
    });
    const gone = Promise.race([lost, aborted(signal)]);
    await client.setOptions(
      proof.kind === 'key' ? { ca: stack.ca } : { ca: stack.ca, cert: proof.certificate, key: proof.key },
    );
    await client.open();
    this.#publish({ type: 'connected' });
    const twin = await currentTwin(client);
    this.#twin = twin;
    this.#answered = 0;
    const firstReport = this.#report({ battery: this.#battery(), model: this.#options.profile.model });
    let leave = () => {};
    const asked = new Promise<void>((resolve) => {
      leave = resolve;
    });
    // The SDK emits this event at once with the current desired properties, and then for each change.
    twin.on('properties.desired', () => {
      if (this.#isAskedToLeave(hub)) leave();
      else this.#apply();
    });
    const over = Promise.race([gone, asked]);
    await Promise.race([firstReport, over]);
    await Promise.race([this.#behave(), over]);
    if (!stack.lively) await over;
  }

  /** Simulates the battery. A lively device stops after a while and then registers again. */
  async #behave(): Promise<void> {
    const { profile, stack, signal } = this.#options;
    await delay(SECOND_REPORT_AFTER_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await this.#report({ battery: this.#charge(profile.battery === 'low' ? LOW_PERCENT : this.#battery()) });
    const until =
      profile.registersAgain === 'whenAsked'
        ? Number.POSITIVE_INFINITY
        : Date.now() + AGAIN_AFTER_MS * (0.5 + Math.random());
    while (stack.lively && Date.now() < until) {
      await delay(8_000 + Math.random() * 12_000, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const percent = this.#battery();
      await this.#report({
        battery: this.#charge(percent < 10 ? 100 : percent - 1 - Math.floor(Math.random() * 4)),
      });
    }
  }

  /**
   * Whether the twin names the hub of the device as the hub to leave. DPS brings the property to the next hub, where it names
   * the old one. The property holds the classic name of the hub. DPS may have assigned the device name: both begin alike.
   */
  #isAskedToLeave(hub: string): boolean {
    const desired: unknown = this.#twin?.properties.desired;
    const berth = (desired as { readonly berth?: Readonly<Record<string, unknown>> } | undefined)?.berth;
    const named = berth?.[LEAVE_HUB];
    return typeof named === 'string' && named.split('.')[0] === hub.toLowerCase().split('.')[0];
  }

  /** Applies the desired interval and acknowledges it as IoT Plug and Play defines, once for each version. */
  #apply(): void {
    const desired: unknown = this.#twin?.properties.desired;
    const { sendDataInterval: value, $version: version } = (desired ?? {}) as {
      readonly sendDataInterval?: unknown;
      readonly $version?: unknown;
    };
    if (typeof value !== 'number' || typeof version !== 'number' || version <= this.#answered) return;
    this.#answered = version;
    const { rejectsLongIntervals } = this.#options.profile;
    const refuses = rejectsLongIntervals && value > LONGEST_INTERVAL_MS;
    if (!refuses) this.#interval = value;
    this.#telemetry.every(this.#interval);
    const answer = refuses
      ? { value: this.#interval, ac: 400, av: version, ad: 'this model sends at least every 30 s' }
      : // The twin would keep the description of an earlier refusal.
        { value: this.#interval, ac: 200, av: version, ...(rejectsLongIntervals ? { ad: null } : {}) };
    void this.#report({ sendDataInterval: answer }).then((isTaken) => {
      if (isTaken) this.#publish({ type: refuses ? 'rejected' : 'applied', value, version });
    });
  }

  /**
   * Sends one report after the other. A hub may apply two concurrent reports in either order
   * (iot-hub-devguide-device-twins).
   */
  #report(properties: Readonly<Record<string, unknown>>): Promise<boolean> {
    const sent = this.#reporting.then(() => this.#send(properties));
    this.#reporting = sent.then(() => {});
    return sent;
  }

  #send(properties: Readonly<Record<string, unknown>>): Promise<boolean> {
    const twin = this.#twin;
    if (twin === undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      twin.properties.reported.update(properties, (error: Error | null) => {
        if (error) this.#publish({ type: 'trouble', message: `report: ${error.message}` });
        else this.#publish({ type: 'reported', battery: this.#battery() });
        resolve(!error);
      });
    });
  }

  #sendTelemetry(): void {
    const message = new Message(JSON.stringify({ battery: this.#battery() }));
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    // A refusal of the hub ends the connection, and `run` connects again.
    this.#client?.sendEvent(message, () => {});
  }

  #battery(): number {
    const { batteries, profile } = this.#options;
    const known = batteries.get(profile.deviceId);
    return known ?? this.#charge(40 + ((Number(profile.deviceId.slice(-4)) * 7) % 60));
  }

  #charge(percent: number): number {
    this.#options.batteries.set(this.#options.profile.deviceId, percent);
    return percent;
  }

  async #hangUp(): Promise<void> {
    this.#telemetry.stop();
    const client = this.#client;
    this.#client = undefined;
    this.#twin = undefined;
    this.#reporting = Promise.resolve();
    client?.removeAllListeners();
    // A client can still emit an error while it closes. Without a listener, this error would end the process.
    client?.on('error', () => {});
    await client?.close().catch(() => {});
  }

  #publish(news: OmitDeviceId<DeviceNews>): void {
    this.#options.publish({ ...news, deviceId: this.#options.profile.deviceId } as DeviceNews);
  }
}

type OmitDeviceId<News> = News extends DeviceNews ? Omit<News, 'deviceId'> : never;
