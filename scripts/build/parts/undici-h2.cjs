// Berth calls its services by HTTP/1.1: undici uses this module only with `allowH2`.
module.exports = () => {
  throw new Error('HTTP/2 is not part of the package.');
};
