// Undici uses this file only where the one with SIMD cannot be loaded.
module.exports = require('undici/lib/llhttp/llhttp_simd-wasm.js');
