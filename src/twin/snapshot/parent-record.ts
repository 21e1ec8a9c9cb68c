import type { EpochMs } from '../../time/epoch-ms.ts';

/* The IoT Edge gateway above a device, as the identity of the device must name it. */

/** What the identity of a device says about its place below gateways. */
export interface DeviceScopes {
  readonly isEdge: boolean;
  /** Of an IoT Edge device its own scope, of another device the one of its parent. */
  readonly deviceScope: string | undefined;
  /** The scope of the parent. A hub fills it for a device that is not an IoT Edge device. */
  readonly parentScopes: readonly string[];
}

/** What Berth stores about the parent of a device, with the snapshot of its twin. */
export type ParentRecord =
  /** The newest registration named no parent. */
  | { readonly kind: 'none' }
  /** Berth looks for the newest registration at `checkAt`. A receipt is stored a second after the answer. */
  | { readonly kind: 'noReceipt'; readonly checkAt: EpochMs }
  /** The identity does not name the parent yet. */
  | {
      readonly kind: 'missing';
      readonly deviceId: string;
      /** One sentence, with the code of an error if an operator must act. */
      readonly why: string;
      readonly checkAt: EpochMs;
      /** The fleet revision. Another one may allow what this one did not. */
      readonly revision: string;
      /** Failed calls in a row. */
      readonly tries: number;
    }
  /** The identity names the parent. Berth does not look again. */
  | { readonly kind: 'entered'; readonly deviceId: string; readonly by: 'berth' | 'others' }
  /** The identity names another parent, which Berth leaves alone. */
  | { readonly kind: 'another'; readonly deviceId: string };

/** When Berth looks at the parent again; undefined: not without a registration. */
export function parentCheckAt(parent: ParentRecord | undefined): EpochMs | undefined {
  return parent !== undefined && 'checkAt' in parent ? parent.checkAt : undefined;
}

/** What is wrong with the parent, as the status of the twin; undefined: nothing. */
export function parentTrouble(
  parent: ParentRecord | undefined,
): { readonly status: 'drifted' | 'contested'; readonly why: string } | undefined {
  switch (parent?.kind) {
    case 'missing':
      return { status: 'drifted', why: parent.why };
    case 'another':
      return {
        status: 'contested',
        why: `its identity names another parent than ${parent.deviceId}, which its registration named`,
      };
    default:
      return undefined;
  }
}
