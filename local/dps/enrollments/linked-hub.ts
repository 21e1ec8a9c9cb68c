/** A hub that is linked to DPS. */
export interface DpsLinkedHub {
  /** The host name by which it is linked: the classic or the device name. Both may be linked at once. */
  readonly host: string;
  /** 1 to 1000, default 1. Only the policies that DPS applies itself use it. */
  readonly allocationWeight?: number;
  /** False: no new devices by those policies; default true. */
  readonly applyAllocationPolicy?: boolean;
}
