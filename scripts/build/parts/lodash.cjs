// The only function of lodash that the registry of azure-iothub 1.16 uses.
exports.merge = require('lodash/merge');
