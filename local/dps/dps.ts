import { setMaxListeners } from 'node:events';
import type { JsonObject } from '../../src/json/json.ts';
import type { AmqpService } from '../amqp/index.ts';
import type { HttpService } from '../https/exchange.ts';
import type { ProvisioningAccess } from '../iot-hub/index.ts';
import { type LocalLog, silent } from '../log.ts';
import type { MqttService } from '../mqtt/index.ts';
import { createRuntimeAmqp } from './amqp/runtime-amqp.ts';
import { createCertificateApi } from './certificates/certificate-api.ts';
import { openCertificates } from './certificates/certificate-store.ts';
import { createRuntimeHttps } from './device-api/runtime-https.ts';
import { createRuntimeMqtt } from './device-api/runtime-mqtt.ts';
import { describeEnrollment, type Enrollment } from './enrollments/enrollment.ts';
import { checkEnrollments } from './enrollments/enrollment-check.ts';
import { openEnrollments, type StoredEnrollmentKind } from './enrollments/enrollment-store.ts';
import type { DpsLinkedHub } from './enrollments/linked-hub.ts';
import { createAttester } from './registration/attester.ts';
import { createRegistrar } from './registration/registrar.ts';
import { openRegistrations, type Registration } from './registration/registration.ts';
import { createRegistrationService } from './registration/registration-service.ts';
import { createTpmChallenges } from './registration/tpm-challenges.ts';
import { createWebhookCall, RETRY_WAITS_MS, type WebhookCall } from './registration/webhook.ts';
import { createServiceApi } from './service-api/service-api.ts';

export interface DpsOptions {
  /** @example '0ne00000001' */
  readonly idScope: string;
  /** @example 'contoso-dps.azure-devices-provisioning.net' */
  readonly serviceHost: string;
  /** The initial enrollments. Changes through the service API are stored separately. */
  readonly enrollments: readonly Enrollment[];
  /** In the order in which a webhook gets them. */
  readonly linkedHubs: readonly DpsLinkedHub[];
  /** DPS's access to a linked hub: `IotHubs.provisioning`. */
  readonly hub: (host: string) => ProvisioningAccess | undefined;
  /** Folder for registrations, enrollments and certificates; absent: in memory only. */
  readonly directory?: string;
  /** The call of a webhook; default: a POST over HTTP that fails after 30 s. */
  readonly call?: WebhookCall;
  /** Waits between the webhook calls of one registration, in milliseconds. Default: as in Azure, seven minutes in all. */
  readonly retryWaitsMs?: readonly number[];
  /** Seconds between two polls of a device; default 1 (Azure: 3). */
  readonly retryAfter?: number;
  /** Told of each registration that has come to a result. */
  readonly onRegistration?: (registration: Registration) => void;
  readonly log?: LocalLog;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
}

/** The local Device Provisioning Service. */
export interface Dps {
  /** The runtime API, for devices. */
  readonly https: HttpService;
  /** The service API, for operators. */
  readonly service: HttpService;
  /** The part of Azure Resource Manager for the CA certificates of DPS. */
  readonly management: HttpService;
  readonly mqtt: MqttService;
  readonly amqp: AmqpService;
  /** All registrations, for the control API. They contain no keys. */
  registrations(): readonly Registration[];
  /** All enrollments as DPS shows them: without keys, and the query of a webhook's URL masked. */
  enrollments(): readonly JsonObject[];
  /** An enrollment with its keys; undefined if there is none. Ids are not case-sensitive. */
  enrollment(kind: StoredEnrollmentKind, id: string): Enrollment | undefined;
  /** Creates an enrollment, as the service API does. It is stored. */
  enroll(enrollment: Enrollment): void;
  /** Cancels the running registrations and closes the journal. Close the servers first. */
  close(): void;
}

const RETRY_AFTER_SECONDS = 1;

/** @throws LocalError `BERTH_LOCAL_ENROLLMENT_INVALID` */
export function createDps(options: DpsOptions): Dps {
  const { idScope, serviceHost, enrollments, linkedHubs, hub, directory } = options;
  checkEnrollments(enrollments, linkedHubs);
  const {
    call = createWebhookCall(),
    retryWaitsMs = RETRY_WAITS_MS,
    retryAfter = RETRY_AFTER_SECONDS,
  } = options;
  const { log = silent, now = Date.now } = options;
  const closing = new AbortController();
  const { signal } = closing;
  // Each running registration adds a listener.
  setMaxListeners(Number.POSITIVE_INFINITY, signal);
  const store = openRegistrations(directory);
  const registrar = createRegistrar({
    linkedHubs,
    hub,
    store,
    call,
    retryWaitsMs,
    onRegistration: options.onRegistration,
    log,
    now,
    signal,
  });
  const service = createRegistrationService({ store, registrar, retryAfter, log, now });
  const certificates = openCertificates(directory, now);
  const enrolled = openEnrollments(directory, enrollments, now);
  const attester = createAttester(idScope, enrolled, certificates, createTpmChallenges(now), now);

  return {
    https: createRuntimeHttps(idScope, serviceHost, attester, service),
    service: createServiceApi({
      serviceHost,
      enrollments: enrolled,
      certificates,
      registrations: store,
      now,
    }),
    management: createCertificateApi(certificates),
    mqtt: createRuntimeMqtt(idScope, attester, service),
    amqp: createRuntimeAmqp(idScope, attester, service),
    registrations: () => [...store.values()],
    enrollments: () => enrolled.values().map(describeEnrollment),
    enrollment: (kind, id) => enrolled.get(kind, id),
    enroll(enrollment) {
      checkEnrollments([enrollment], linkedHubs);
      enrolled.put(enrollment);
    },
    close() {
      closing.abort();
      store.close();
      enrolled.close();
      certificates.close();
    },
  };
}
