#!/usr/bin/env node
// The `berth` command of this checkout. It is a file of the sources, so that npm can link it before the first build.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../dist/berth.cjs', import.meta.url));
if (existsSync(program)) {
  createRequire(import.meta.url)(program);
} else {
  console.error('The berth command is not built yet. Run: npm run build');
  process.exitCode = 1;
}
