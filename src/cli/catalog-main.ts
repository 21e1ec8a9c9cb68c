import { berthCatalog } from './berth.ts';

/** Run by the build: prints the commands without their functions, which the bundle of `berth` contains. */
process.stdout.write(JSON.stringify(berthCatalog()));
