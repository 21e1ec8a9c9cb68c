import { join } from 'node:path';
import { app } from '@azure/functions';
import { registerAllocateDevice } from './functions/allocate-device.ts';
import { registerAttention } from './functions/attention.ts';
import { registerDeadLetterFunctions } from './functions/dead-letters.ts';
import { registerDevice } from './functions/device.ts';
import { registerDeviceHistory } from './functions/device-history.ts';
import { registerDevices } from './functions/devices.ts';
import { registerExplainAllocation } from './functions/explain-allocation.ts';
import { registerFiles } from './functions/files.ts';
import { registerFleetStatus } from './functions/fleet-status.ts';
import { registerHealth } from './functions/health.ts';
import { registerHealthDetail } from './functions/health-detail.ts';
import { registerQueue } from './functions/queue.ts';
import { registerResyncFleet } from './functions/resync-fleet.ts';
import { registerSeries } from './functions/series.ts';
import { registerSyncTwins } from './functions/sync-twins.ts';
import { AUTHOR, BUILD } from './instance/build.ts';
import { Instance } from './instance/instance.ts';

// The worker changes into the app's folder before it loads this file.
const instance = new Instance({ env: process.env, directory: process.cwd(), build: BUILD, author: AUTHOR });

registerAllocateDevice(instance);
registerExplainAllocation(instance);
registerSyncTwins(instance, process.env);
registerResyncFleet(instance);
registerFleetStatus(instance);
registerAttention(instance);
registerQueue(instance);
registerDevices(instance);
registerDevice(instance);
registerDeviceHistory(instance);
registerDeadLetterFunctions(instance);
registerSeries(instance);
registerHealth(instance);
registerHealthDetail(instance);
// These files lie next to the bundle, wherever that is: in the app's folder, or in node_modules.
registerFiles({ console: join(__dirname, 'console'), openApi: __dirname });

app.hook.appStart(() => instance.start());
app.hook.appTerminate(() => instance.stop());
