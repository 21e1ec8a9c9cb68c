import { join } from 'node:path';
import { startAmqp } from './amqp/index.ts';
import { createArm } from './arm/resources.ts';
import { azureWebSockets } from './azure-web-sockets.ts';
import { startAzurite } from './azurite/index.ts';
import { blobsOf, createUploadStorage } from './azurite/upload-storage.ts';
import {
  type CertificateAuthority,
  openAuthority,
  openOwnCertificates,
  readTrustedFiles,
} from './ca/index.ts';
import {
  type ControlApi,
  type ControlOptions,
  commandRunner,
  EventFeed,
  type ProcessStatus,
  startControlApi,
} from './control-api/index.ts';
import { createDps, type Dps } from './dps/index.ts';
import { berthTerms, FLEET_GROUP, localEnrollments, PLAIN_GROUP, PLAIN_TERMS } from './enrollments.ts';
import { type EventHubs, startEventHubs } from './event-hubs/index.ts';
import { pagePorts } from './foreign-requests.ts';
import { createRevocationListService, startHttp } from './https/index.ts';
import { type AppNeeds, createIotHubs, deviceNameOf, type IotHubs } from './iot-hub/index.ts';
import { reservePort } from './listen.ts';
import type { LocalLog } from './log.ts';
import { Watchers } from './monitor/watchers.ts';
import { startMqtt } from './mqtt/index.ts';
import type { LinkNames, Ports } from './options.ts';
import { credentialsOf } from './own-device/credentials.ts';
import { tpmOfDevice } from './own-device/tpm-file.ts';
import { CONSUMER_GROUP, EVENT_HUB } from './plan/berth-plan.ts';
import { builtInConnection, eventHubsOf, routedSink } from './plan/delivery.ts';
import { builtInEventHub, type LocalPlan } from './plan/local-plan.ts';
import type { KeptRunning } from './processes/kept-running.ts';

/** Where the hubs of a fleet without regions are, for Azure Resource Manager. */
const REGION = 'westeurope';

export interface CloudOptions {
  readonly plan: LocalPlan;
  /** The project's folder, where the `berth` command runs. */
  readonly appDirectory: string;
  readonly ports: Ports;
  /** The port of the functions. They may start later. */
  readonly functionsPort: number;
  readonly stateDirectory: string;
  /** Folder with the bundled processes. */
  readonly bundles: string;
  /** The key that the control API sends to the functions. */
  readonly functionKey: string;
  /** URL at which DPS calls `allocateDevice`, with the function key as `?code=`; undefined: the stack runs without Berth. */
  readonly webhookUrl: string | undefined;
  /** Files with CA certificates (PEM) that the hubs trust for devices, besides the root of the stack. */
  readonly trustedFiles: readonly string[];
  /** The host names by which DPS links the hubs. */
  readonly links: LinkNames;
  /** What the fleet file needs of the app now; undefined: the stack runs without Berth. */
  readonly appNeeds?: (() => AppNeeds) | undefined;
  readonly processes: () => readonly ProcessStatus[];
  /** Called when Azurite answers again after an unexpected end. */
  readonly onAzuriteReturn: () => void;
  readonly log: LocalLog;
}

/** The local Azure IoT: everything that runs in Azure, without the functions. */
export interface Cloud {
  readonly ports: Ports;
  /** The names of the hubs and of DPS, which a `Host` header may hold. */
  readonly names: readonly string[];
  /** The process of Azurite. */
  readonly azurite: KeptRunning;
  readonly authority: CertificateAuthority;
  readonly hubs: IotHubs;
  readonly dps: Dps;
  readonly eventHubs: EventHubs;
  readonly control: ControlOptions;
  /** App settings for the process that runs the functions. */
  readonly settings: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Starts the local Azure IoT. If one part cannot start, it stops all parts.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN` and the errors of the parts.
 */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { plan, ports, stateDirectory, webhookUrl, log } = options;
  const state = (name: string) => join(stateDirectory, name);
  const trusted = readTrustedFiles(options.trustedFiles);
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    // It starts in its own process, while this one reads the state.
    const azurite = await startAzurite({
      file: join(options.bundles, 'azurite.cjs'),
      directory: state('azurite'),
      ports,
      onReturn: options.onAzuriteReturn,
      log,
    });
    closers.push(() => azurite.stop(5_000));

    const eventHubs = await startEventHubs({
      port: ports.amqp,
      directory: state('event-hubs'),
      hubs: eventHubsOf(plan),
      log,
    });
    closers.push(() => eventHubs.close());

    // The certificates name the port of the revocation list, so the port must be known before its server starts.
    const restPort = await reservePort(ports.rest, 'the service REST API', 'rest');
    const authority = await openAuthority({
      directory: state('ca'),
      revocationListAt: `http://localhost:${restPort}`,
      log,
    });

    const feed = new EventFeed();
    const watchers = new Watchers();
    let amqpsPort = ports.amqps; // known when its server listens
    const hubs: IotHubs = createIotHubs({
      hubs: plan.hubs,
      directory: state('hubs'),
      sink: (host) => {
        const hub = plan.hubs.find((each) => each.host === host);
        const send =
          hub && routedSink(hub, eventHubs, (device, module) => hubs.view(host)?.twin(device, module));
        return (event) => {
          send?.(event);
          feed.takeEvent(host, event);
          watchers.takeEvent(host, event);
        };
      },
      eventsAt: (host) => ({ hostname: 'localhost', port: amqpsPort, eventHub: builtInEventHub(host) }),
      onTraffic: (host, traffic) => watchers.takeTraffic(host, traffic),
      authorities: [authority.root, ...trusted],
      uploadStorage: createUploadStorage({
        connectionString: azurite.connectionString,
        hostName: () => `localhost:${bound.https}/${azurite.account}`,
      }),
      ...(options.appNeeds === undefined ? {} : { appNeeds: options.appNeeds }),
      log,
    });
    closers.push(() => hubs.close());

    const certificates = openOwnCertificates(authority, state('ca'));
    const terms = webhookUrl === undefined ? PLAIN_TERMS : berthTerms(webhookUrl);
    const dps = createDps({
      idScope: plan.dps.idScope,
      serviceHost: plan.dps.host,
      enrollments: webhookUrl === undefined ? plan.dps.groups : localEnrollments(terms, authority.root),
      linkedHubs: plan.dps.linkedHubs.flatMap((host) => linksOf(host, options.links)),
      hub: hubs.provisioning,
      directory: state('dps'),
      onRegistration: (registration) => feed.takeRegistration(registration),
      log,
    });
    closers.push(() => dps.close());

    const certificate = authority.server;
    // Each server adds its port when it listens. A server that does not listen yet has no pages.
    let bound: Ports = { ...ports, ...azurite.ports, amqp: eventHubs.port, functions: options.functionsPort };
    const ownPorts = () => pagePorts(bound);
    const arm = createArm({
      hubs: plan.hubs.map(({ host, tier, units, region = REGION }) => ({ host, tier, units, region })),
      links: plan.dps.linkedHubs.flatMap((host) => {
        const { region = REGION } = plan.hubs.find((hub) => hub.host === host) ?? {};
        return linksOf(host, options.links).map((link) => ({ ...link, region }));
      }),
      idScope: plan.dps.idScope,
    });
    const services = [dps.https, dps.service, dps.management, arm, hubs.https];
    const mqtt = await startMqtt({ port: ports.mqtt, certificate, services: [hubs.mqtt, dps.mqtt], log });
    closers.push(() => mqtt.close());
    const amqps = await startAmqp({
      port: ports.amqps,
      certificate,
      services: [hubs.amqp, dps.amqp, eventHubs.amqp],
      log,
    });
    closers.push(() => amqps.close());
    amqpsPort = amqps.port;
    const webSockets = azureWebSockets({ mqtt, amqp: amqps });
    // Devices upload their files over https, which Azurite does not have.
    const passThrough = [blobsOf(azurite)];
    const https = await startHttp({
      port: ports.https,
      certificate,
      services,
      webSockets,
      passThrough,
      ownPorts,
      log,
    });
    closers.push(() => https.close());
    const rest = await startHttp({
      port: restPort,
      services: [
        createRevocationListService(authority.revocationList),
        dps.service,
        dps.management,
        arm,
        hubs.https,
      ],
      ownPorts,
      log,
    });
    closers.push(() => rest.close());

    const [firstHub] = plan.hubs;
    const counted =
      webhookUrl !== undefined || firstHub === undefined
        ? { eventHub: EVENT_HUB, consumerGroups: [CONSUMER_GROUP] }
        : {
            eventHub: builtInEventHub(firstHub.host),
            consumerGroups: ['$Default', ...firstHub.builtInEndpoint.consumerGroups],
          };
    const settings = {
      AzureWebJobsStorage: azurite.connectionString,
      TWIN_EVENTS: eventHubs.connectionString(),
      TWIN_EVENTS_NAME: EVENT_HUB,
      TWIN_EVENTS_CONSUMER_GROUP: CONSUMER_GROUP,
      IOT_ENDPOINT: `http://127.0.0.1:${rest.port}`,
    };
    bound = { ...bound, https: https.port, rest: rest.port, mqtt: mqtt.port, amqps: amqps.port };
    const control: ControlOptions = {
      hubs,
      dps,
      eventHubs,
      ...counted,
      builtInEndpoint: (host) => ({
        eventHubName: builtInEventHub(host),
        connectionString: builtInConnection(host, eventHubs),
      }),
      storage: azurite.connectionString,
      processes: options.processes,
      stack: () => ({
        ports: bound,
        idScope: plan.dps.idScope,
        root: authority.root,
        plain: webhookUrl === undefined,
        certificates: certificates.trust,
        settings,
      }),
      ownDevice: (request) =>
        credentialsOf(request, {
          dps,
          idScope: plan.dps.idScope,
          certificates,
          tpmOf: (registrationId) => tpmOfDevice(state('tpm'), registrationId),
          terms,
          prefix: webhookUrl === undefined ? PLAIN_GROUP : FLEET_GROUP,
        }),
      feed,
      watchers,
      functionKey: options.functionKey,
      runCommand: commandRunner({
        file: join(options.bundles, 'berth.cjs'),
        directory: options.appDirectory,
        settings,
      }),
      consoleFolder: join(options.bundles, 'console'),
    };
    const azuriteProcess = await azurite.listening;
    const controlApi: ControlApi = await startControlApi(ports.control, control);
    closers.push(() => controlApi.close());
    bound = { ...bound, control: controlApi.port };

    return {
      ports: bound,
      names: services.flatMap(({ names }) => names),
      azurite: azuriteProcess,
      authority,
      hubs,
      dps,
      eventHubs,
      control,
      settings,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function linksOf(host: string, links: LinkNames): readonly { readonly host: string }[] {
  const [classic, device] = [{ host }, { host: deviceNameOf(host) }];
  if (links === 'both') return [classic, device];
  return links === 'device' ? [device] : [classic];
}
