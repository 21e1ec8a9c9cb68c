// Azurite as a process that ends with its parent. It looks at `process.argv` when it is loaded.

// Azurite's own handler of SIGTERM closes its services, which writes what they hold to disk; then nothing is
// left but the channel to the parent.
process.once('SIGTERM', () => {
  if (process.connected) process.disconnect();
});
process.once('disconnect', () => {
  process.emit('SIGTERM');
  setTimeout(() => process.exit(0), 5_000).unref();
});

require('azurite/dist/src/azurite.js');
