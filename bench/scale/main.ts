import { parseArgs } from 'node:util';
import { startAzurite } from '../../test/support/azurite.ts';
import { machineLoad } from '../measure.ts';
import { measureRows } from './measure-rows.ts';
import { scaleOf } from './scale-model.ts';

// What a large fleet stores, how many storage transactions it needs, what they cost, and how long a resync takes: arithmetic on rows
// and rates that are measured here with Azurite.
//
// npm run bench:scale -- [--devices 1000000] [--hubs 12] [--partitions 32] [--instances 8] [--events 25]

const MEASURED_DEVICES = 4_000;
const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000000' },
    hubs: { type: 'string', default: '12' },
    partitions: { type: 'string', default: '32' },
    instances: { type: 'string', default: '8' },
    events: { type: 'string', default: '25' },
  },
});
const fleet = {
  devices: Number(values.devices),
  hubs: Number(values.hubs),
  partitions: Number(values.partitions),
  instances: Number(values.instances),
  eventsADay: Number(values.events),
  peak: 2,
};
const load = machineLoad();
const azurite = await startAzurite();
try {
  const measured = await measureRows(azurite.connectionString, MEASURED_DEVICES);
  const scale = scaleOf(fleet, measured);
  const { transactions, rowsASecond, dollars } = scale;
  const million = (number: number) => `${(number / 1e6).toFixed(0)} million`;
  console.log(`Measured with ${MEASURED_DEVICES} twins in Azurite:`);
  console.table({
    'row of a snapshot, bytes': Math.round(measured.rowBytes),
    'snapshot as JSON, bytes': measured.snapshotBytes,
    'resynced twins a second': Math.round(measured.resyncedASecond),
    'transactions for a resynced twin': Number(measured.resyncTransactions.toFixed(3)),
  });
  console.log(`Computed for ${JSON.stringify(fleet)}, a month of 30 days:`);
  console.table({
    'snapshots, GB': scale.stateGb.toFixed(2),
    'events a second, mean': Math.round(scale.eventsASecond),
    'events a second of a partition, peak': scale.eventsOfPartition.toFixed(1),
    'events whose record is remembered': `${Math.round(100 * scale.remembered)} %`,
    'reads of records': million(transactions.reads),
    'transactions that store batches': million(transactions.writes),
    'checkpoints of the host': million(transactions.checkpoints),
    'transactions of resyncFleet': million(transactions.minutes),
    'rows a second at the peak (Azure: 20,000)': Math.round(rowsASecond.account),
    'of one partition (Azure: 2,000)': Math.round(rowsASecond.partition),
    'resync of all twins, minutes': Math.round(scale.resyncMinutes),
    'transactions, $': dollars.transactions.toFixed(0),
    'capacity, $': dollars.capacity.toFixed(2),
  });
  console.log(
    `${load.cores} cores (${load.model}), load ${load.perCore.toFixed(1)} for each core at the start.`,
  );
} finally {
  await azurite.close();
}
