#!/usr/bin/env node
'use strict';
// Reads, fsyncs, DNS and zlib share libuv's thread pool, whose size is read once, at its first use. It must
// therefore be in the environment before anything touches the file system asynchronously: hence a CommonJS
// wrapper, because the ES module loader itself already uses the pool.
process.env.UV_THREADPOOL_SIZE ??= '16';
// Most of a server's memory lies outside V8's heap, in buffers, and what they grew by counts when V8 decides on a full
// collection. With a heap of 30 MB and its own limits it made two of them a second, for every 8 MB that came and went
// (bench/RESULTS.md, "Full collections"). Set here, before the heap has grown.
require('node:v8').setFlagsFromString('--heap-growing-percent=300');
import('../dist/src/main.js').then(
  ({ main }) => main(process.argv.slice(2)),
  (error) => {
    console.error(
      error.code === 'ERR_MODULE_NOT_FOUND'
        ? `caskade: not built yet (${error.message}); run 'make build'`
        : error,
    );
    process.exitCode = 1;
  },
);
