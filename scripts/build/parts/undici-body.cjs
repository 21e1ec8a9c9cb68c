// Berth sends texts: undici uses this module for forms, blobs and streams.
exports.extractBody = () => {
  throw new Error('A body must be a text.');
};
