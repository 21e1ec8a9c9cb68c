import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';
import { withoutKeys } from '../../iot-hub/model/json.ts';
import { describeEnrollment, isGroup, type StoredEnrollment } from '../enrollments/enrollment.ts';
import { describeMechanism } from '../enrollments/enrollment-wire.ts';

/** The form of enrollments in one api-version. */
export interface EnrollmentShape {
  describe(enrollment: StoredEnrollment): JsonObject;
  /** The body of a write, with the stored values of the fields that the version does not have. */
  complete(body: JsonValue | undefined, before: StoredEnrollment | undefined): JsonValue | undefined;
}

/** The version that brought reprovisioning, allocation policies and several hubs. Versions compare as texts. */
const POLICIES_SINCE = '2018-09-01-preview';
/** The version that moved the keys to `…/attestationmechanism`. Before it, every answer has them. */
const NO_KEYS_SINCE = '2018-11-01';
const INFORMATION = 'optionalDeviceInformation';
/** The first published version with notes of the operator. */
const INFORMATION_SINCE = '2021-10-01';
const POLICY_FIELDS = [
  'reprovisionPolicy',
  'allocationPolicy',
  'iotHubs',
  'customAllocationDefinition',
] as const;

/**
 * The form of enrollments in a published version. The specifications of the early versions are not published any more:
 * their forms follow the SDKs that used them.
 */
export function shapeOf(version: string): EnrollmentShape {
  // A preview comes before its version.
  const hasPolicies = version >= POLICIES_SINCE || version === POLICIES_SINCE.replace('-preview', '');
  const hasKeys = version < NO_KEYS_SINCE;
  const hasInformation = version >= INFORMATION_SINCE;
  return {
    describe(enrollment) {
      const whole = describeEnrollment(enrollment);
      const described = hasInformation ? whole : withoutKeys(whole, INFORMATION);
      return {
        ...(hasPolicies ? described : earlyForm(described, enrollment)),
        ...(hasKeys && {
          attestation: describeMechanism(isGroup(enrollment) ? 'group' : 'individual', enrollment),
        }),
      };
    },
    complete(body, before) {
      if (before === undefined || !isObject(body)) return body;
      const unknown = [...(hasPolicies ? [] : POLICY_FIELDS), ...(hasInformation ? [] : [INFORMATION])];
      const kept = Object.entries(before).filter(([name]) => unknown.some((each) => each === name));
      return { ...(Object.fromEntries(kept) as JsonObject), ...body };
    },
  };
}

/** The only hub of an enrollment was a text, `iotHubHostName`. */
function earlyForm(described: JsonObject, { iotHubs }: StoredEnrollment): JsonObject {
  const [host, ...others] = iotHubs ?? [];
  return {
    ...withoutKeys(described, ...POLICY_FIELDS),
    ...(host !== undefined && others.length === 0 && { iotHubHostName: host }),
  };
}
