import { deviceHref } from '../address/route.ts';
import { hubName } from '../words/format.ts';
import type { TableColumn } from './data-table.tsx';

/** What a row of a list of twins has at least. */
export interface TwinRow {
  readonly hub: string;
  readonly deviceId: string;
  readonly moduleId?: string | null | undefined;
}

/** The key of a row in a list of twins. */
export function twinRowKey({ hub, deviceId, moduleId }: TwinRow): string {
  return `${hub} ${deviceId} ${moduleId ?? ''}`;
}

/** The columns with which each list of twins begins: the device with its module, and the hub. */
export const TWIN_COLUMNS: readonly TableColumn<TwinRow>[] = [
  {
    title: 'Device',
    cell: ({ deviceId, moduleId }) => (
      <div class="stacked">
        <a data-row-link href={deviceHref(deviceId)}>
          {deviceId}
        </a>
        {typeof moduleId === 'string' && <span class="muted">module {moduleId}</span>}
      </div>
    ),
  },
  { title: 'Hub', cell: ({ hub }) => <span title={hub}>{hubName(hub)}</span> },
];
