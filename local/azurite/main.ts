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

require('azurite/dist/src/azurite.js');
