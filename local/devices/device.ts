import { setTimeout as delay } from 'node:timers/promises';
import { NoRetry } from 'azure-iot-common';
import { Client, type Twin, X509AuthenticationProvider } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { Batteries } from './batteries.ts';
import type { DeviceProfile } from './device-profiles.ts';
import type { DeviceNews, DeviceProof, StartDevices } from './messages.ts';
import { type Assigned, register } from './registration.ts';

export interface DeviceOptions {
  readonly profile: DeviceProfile;
  readonly proof: DeviceProof;
  readonly world: Omit<StartDevices, 'type' | 'devices'>;
  readonly batteries: Batteries;
  readonly tell: (news: DeviceNews) => void;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 20_000;
/** A device slower than this is of no use to a picky one's model. */
const PICKY_LIMIT_MS = 30_000;
const LOW_PERCENT = 15;
const SECOND_REPORT_AFTER_MS = 1_500;
/** A lively device registers again about so often, as devices do that lose power or their network. */
const AGAIN_AFTER_MS = 90_000;

/**
 * One simulated device on Microsoft's SDKs: registers, connects, reads its twin, reports, and applies what is
 * desired of it.
 */
export class SimulatedDevice {
  readonly #options: DeviceOptions;
  #client: Client | undefined;
  #twin: Twin | undefined;
  /** Milliseconds between the data that it would send; what it has applied last. */
  #interval = 1_000;
  #reporting: Promise<void> = Promise.resolve();
  #answered = 0;

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /** Lives until the signal. Whatever fails is tried again, later each time. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        await this.#live(await this.#register());
        tries = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#tell({ type: 'trouble', message: error instanceof Error ? error.message : String(error) });
      }
      await this.#hangUp();
      const wait = Math.min(FIRST_RETRY_MS * 2 ** tries, LONGEST_RETRY_MS);
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  async #register(): Promise<Assigned> {
    const { profile, proof, world } = this.#options;
    const assigned = await register({
      registrationId: profile.deviceId,
      proof,
      payload: { site: profile.site, country: profile.country, model: profile.model },
      over: profile.registersOver,
      idScope: world.idScope,
      ca: world.ca,
      httpsPort: world.httpsPort,
      mqttPort: world.mqttPort,
    });
    this.#tell({ type: 'registered', hub: assigned.hub });
    return assigned;
  }

  /** From the connection to its end. */
  async #live({ hub, deviceId }: Assigned): Promise<void> {
    const { proof, world, signal } = this.#options;
    const gateway = `localhost:${world.mqttPort}`;
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
    // The device decides itself when to come back: after a while, and from the registration on, since its hub
    // may have changed.
    client.setRetryPolicy(new NoRetry());
    const gone = new Promise<void>((resolve) => {
      client.on('disconnect', () => resolve());
      client.on('error', () => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await client.setOptions(
      proof.kind === 'key' ? { ca: world.ca } : { ca: world.ca, cert: proof.certificate, key: proof.key },
    );
    await client.open();
    this.#tell({ type: 'connected' });
    const twin = await client.getTwin();
    this.#twin = twin;
    this.#answered = 0;
    const firstReport = this.#report({ battery: this.#battery(), model: this.#options.profile.model });
    // Fires at once with what is desired now, and then for each change.
    twin.on('properties.desired', () => this.#apply());
    await Promise.race([firstReport, gone]);
    await Promise.race([this.#behave(), gone]);
    if (!world.lively) await gone;
  }

  /** Its battery over time; a lively device ends with that, to register again. */
  async #behave(): Promise<void> {
    const { profile, world, signal } = this.#options;
    await delay(SECOND_REPORT_AFTER_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await this.#report({ battery: this.#charge(profile.battery === 'low' ? LOW_PERCENT : this.#battery()) });
    const until = Date.now() + AGAIN_AFTER_MS * (0.5 + Math.random());
    while (world.lively && Date.now() < until) {
      await delay(8_000 + Math.random() * 12_000, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const percent = this.#battery();
      await this.#report({
        battery: this.#charge(percent < 10 ? 100 : percent - 1 - Math.floor(Math.random() * 4)),
      });
    }
  }

  /** Takes on the desired interval and acknowledges it the Plug and Play way, once for each version. */
  #apply(): void {
    const desired: unknown = this.#twin?.properties.desired;
    const { sendDataInterval: value, $version: version } = (desired ?? {}) as {
      readonly sendDataInterval?: unknown;
      readonly $version?: unknown;
    };
    if (typeof value !== 'number' || typeof version !== 'number' || version <= this.#answered) return;
    this.#answered = version;
    const refuses = this.#options.profile.isPicky && value > PICKY_LIMIT_MS;
    if (!refuses) this.#interval = value;
    const answer = refuses
      ? { value: this.#interval, ac: 400, av: version, ad: 'this model sends at least every 30 s' }
      : { value: this.#interval, ac: 200, av: version };
    void this.#report({ sendDataInterval: answer }).then((isTaken) => {
      if (isTaken) this.#tell({ type: refuses ? 'rejected' : 'applied', value, version });
    });
  }

  /**
   * Reports one after the other: two that are not awaited may be applied in either order
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
        if (error) this.#tell({ type: 'trouble', message: `report: ${error.message}` });
        else this.#tell({ type: 'reported', battery: this.#battery() });
        resolve(!error);
      });
    });
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
    const client = this.#client;
    this.#client = undefined;
    this.#twin = undefined;
    this.#reporting = Promise.resolve();
    client?.removeAllListeners();
    // A client that is being torn down may still emit an error, which without a listener ends the process.
    client?.on('error', () => {});
    await client?.close().catch(() => {});
  }

  #tell(news: OmitDeviceId<DeviceNews>): void {
    this.#options.tell({ ...news, deviceId: this.#options.profile.deviceId } as DeviceNews);
  }
}

type OmitDeviceId<News> = News extends DeviceNews ? Omit<News, 'deviceId'> : never;
