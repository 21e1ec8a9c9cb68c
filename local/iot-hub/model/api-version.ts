import { HubRefusal } from './hub-error.ts';

/** The published versions of the REST APIs, and those of the SDKs (azure-rest-api-specs, iothub data plane). */
const API_VERSIONS: ReadonlySet<string> = new Set([
  '2016-02-03',
  '2016-11-14',
  '2017-06-30',
  '2017-11-08-preview',
  '2018-04-01',
  '2018-06-30',
  '2018-08-30-preview',
  '2019-03-30',
  '2019-07-01-preview',
  '2019-10-01',
  '2020-03-01',
  '2020-03-13',
  '2020-05-31-preview',
  '2020-09-30',
  '2021-04-12',
]);

/** @throws HubRefusal `InvalidProtocolVersion` if a request has no published api-version. */
export function checkApiVersion(query: URLSearchParams): void {
  checkVersion('The request', query.get('api-version') ?? undefined);
}

/**
 * Checks the api-version in the user name of an MQTT connection. Without one, a device can send telemetry, but the hub answers
 * its twin requests with 400 (andriyadi/AzureIoTHubMQTTClient#5).
 *
 * @throws HubRefusal `InvalidProtocolVersion`
 */
export function checkUserNameVersion(version: string | undefined): void {
  checkVersion('The user name', version);
}

function checkVersion(what: string, version: string | undefined): void {
  if (version !== undefined && API_VERSIONS.has(version)) return;
  const found =
    version === undefined ? 'has no api-version' : `has the unknown api-version ${version.slice(0, 40)}`;
  throw new HubRefusal('InvalidProtocolVersion', `${what} ${found}. Use ?api-version=2021-04-12.`);
}
