import { DEVELOPMENT_APP_POLICY } from '../../../src/hub/development.ts';
import type { AccessPolicy } from './access-policy.ts';
import { DATA_ACTION_PREFIX } from './data-action.ts';

/** What the fleet file needs of the app, as the parameters of the templates say it. */
export interface AppNeeds {
  /** It has deployments of IoT Edge. */
  readonly appliesManifests: boolean;
  /** It lets Berth enter parents in identities (`allocation.setScopes`). */
  readonly setsScopes: boolean;
  /** It names a direct method that asks devices to move (`allocation.moves.ask.method`). */
  readonly callsMethods: boolean;
}

/** A role that the templates give the app on a hub. */
export interface AppRole {
  readonly name: string;
  readonly dataActions: readonly string[];
  /** Undefined: always. */
  readonly onlyWith?: keyof AppNeeds;
}

/**
 * The roles of the app on each hub of its stamp (infra/modules/hub-roles.bicep; test/local/iot-hub/app-roles.test.ts compares
 * both). The data actions of built-in roles are those of Microsoft's list of roles for Internet of Things.
 */
export const APP_ROLES: readonly AppRole[] = [
  { name: 'IoT Hub Twin Contributor', dataActions: [`${DATA_ACTION_PREFIX}twins/*`] },
  {
    name: 'IoT Hub Data Reader',
    dataActions: [`${DATA_ACTION_PREFIX}*/read`, `${DATA_ACTION_PREFIX}fileUpload/notifications/action`],
  },
  {
    name: 'Berth Edge Deployer',
    dataActions: [`${DATA_ACTION_PREFIX}configurations/applyToEdgeDevice/action`],
    onlyWith: 'appliesManifests',
  },
  {
    name: 'Berth Scope Writer',
    dataActions: [`${DATA_ACTION_PREFIX}devices/write`],
    onlyWith: 'setsScopes',
  },
  {
    name: 'Berth Method Caller',
    dataActions: [`${DATA_ACTION_PREFIX}directMethods/invoke/action`],
    onlyWith: 'callsMethods',
  },
];

/** The policy with which the app signs locally. It may do exactly what the roles of the app allow in Azure. */
export function appPolicy(needs: () => AppNeeds): AccessPolicy {
  return {
    ...DEVELOPMENT_APP_POLICY,
    rights: [],
    dataActions() {
      const now = needs();
      return APP_ROLES.filter(({ onlyWith }) => onlyWith === undefined || now[onlyWith]).flatMap(
        ({ dataActions }) => dataActions,
      );
    },
  };
}
