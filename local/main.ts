import { join } from 'node:path';
import { keepStack } from './keeper/keep-stack.ts';

/** `npm start` and `npm run local`: keeps the process of the stack running. See `--help`. */
keepStack({
  file: join(__dirname, 'stack.cjs'),
  args: process.argv.slice(2),
  warn: (message) => console.error(message),
}).then((code) => process.exit(code));
