// Azurite as a process that ends when its parent ends. Azurite reads `process.argv` when it is loaded.

// Azurite's own handler of SIGTERM closes its services and writes their data to disk. After that, only the channel
// to the parent keeps the process running.
process.once('SIGTERM', () => {
  if (process.connected) process.disconnect();
});
process.once('disconnect', () => {
  process.emit('SIGTERM');
  setTimeout(() => process.exit(0), 5_000).unref();
});

// The variable asks Azurite for an SQL database. The stack keeps its state in its own folder, and `scripts/build/azurite.mjs` leaves the
// driver out.
delete process.env.AZURITE_DB;

require('azurite/dist/src/azurite.js');
