import { app } from '@azure/functions';
import { registerAllocateDevice } from './functions/allocate-device.ts';
import { registerDevice } from './functions/device.ts';
import { registerExplainAllocation } from './functions/explain-allocation.ts';
import { registerFleetStatus } from './functions/fleet-status.ts';
import { registerHealth } from './functions/health.ts';
import { registerResyncFleet } from './functions/resync-fleet.ts';
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
registerDevice(instance);
registerHealth(instance);

app.hook.appStart(() => instance.start());
app.hook.appTerminate(() => instance.stop());
