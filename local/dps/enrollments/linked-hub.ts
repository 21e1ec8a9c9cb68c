/** A hub that is linked to DPS. */
export interface DpsLinkedHub {
  /** The host name of the link: the classic or the device name. DPS can link both names of a hub. */
  readonly host: string;
  /** 1 to 1000, default 1. Only DPS's own policies use it. */
  readonly allocationWeight?: number;
  /** False: DPS's own policies assign no devices to this hub; default true. */
  readonly applyAllocationPolicy?: boolean;
}
