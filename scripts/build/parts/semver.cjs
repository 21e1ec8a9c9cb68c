// jsonwebtoken asks only whether Node.js is newer than 8.0, 15.7 and 16.9.
exports.satisfies = () => true;
