import { openJournal } from '../journal.ts';

/** Charge of each device's battery in percent, remembered from run to run. */
export interface Batteries {
  get(deviceId: string): number | undefined;
  set(deviceId: string, percent: number): void;
  close(): void;
}

interface Entry {
  readonly deviceId: string;
  readonly percent: number;
}

/** Opens the batteries kept in a file. */
export function openBatteries(file: string): Batteries {
  const charges = new Map<string, number>();
  const journal = openJournal<Entry>(file, ({ deviceId, percent }) => charges.set(deviceId, percent));
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
