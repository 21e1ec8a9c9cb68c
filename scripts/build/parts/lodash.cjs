// The functions of lodash that the registry of azure-iothub 1.16 uses. test/end-to-end/package.test.ts compares them with its code.
exports.assign = require('lodash/assign');
exports.merge = require('lodash/merge');
