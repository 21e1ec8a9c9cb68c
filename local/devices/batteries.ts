import * as z from 'zod';
import { openJournal } from '../journal.ts';

/** Charge of each device's battery in percent. It is stored between runs. */
export interface Batteries {
  get(deviceId: string): number | undefined;
  set(deviceId: string, percent: number): void;
  close(): void;
}

const ENTRY = z.object({ deviceId: z.string().min(1), percent: z.number().min(0).max(100) });
type Entry = z.infer<typeof ENTRY>;

/**
 * Opens the batteries that a file stores.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openBatteries(file: string): Batteries {
  const charges = new Map<string, number>();
  const journal = openJournal<Entry>(file, (record) => {
    const { deviceId, percent } = ENTRY.parse(record);
    charges.set(deviceId, percent);
  });
  journal.compact([...charges].map(([deviceId, percent]) => ({ deviceId, percent })));
  return {
    get: (deviceId) => charges.get(deviceId),
    set(deviceId, percent) {
      charges.set(deviceId, percent);
      journal.append({ deviceId, percent });
    },
    close: () => journal.close(),
  };
}
