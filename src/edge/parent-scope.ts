import type { DeviceScopes } from '../twin/snapshot/parent-record.ts';

/** What must happen so that the identity of a child names its parent. */
export type ParentStep =
  /** The parent has no scope, because it is not an IoT Edge device. */
  | { readonly kind: 'notEdge' }
  | { readonly kind: 'entered' }
  | { readonly kind: 'another' }
  /** This scope must be entered: in `parentScopes` of an IoT Edge device, in `deviceScope` of another device. */
  | { readonly kind: 'enter'; readonly scope: string };

/**
 * Compares the identities of a child and its parent. A scope is opaque: its text does not show the device
 * (iotedge#3539). One parent at most (iot-edge-limits-and-restrictions).
 */
export function parentStep(child: DeviceScopes, parent: DeviceScopes): ParentStep {
  const { deviceScope: scope } = parent;
  if (!parent.isEdge || scope === undefined) return { kind: 'notEdge' };
  const present = presentScope(child);
  if (present === undefined) return { kind: 'enter', scope };
  return { kind: present === scope ? 'entered' : 'another' };
}

function presentScope({ isEdge, deviceScope, parentScopes }: DeviceScopes): string | undefined {
  return isEdge ? parentScopes[0] : (deviceScope ?? parentScopes[0]);
}
