#!/usr/bin/env node
'use strict';
// Reads, fsyncs, DNS and zlib share libuv's thread pool, whose size is read once, at its first use. It must
// therefore be in the environment before anything touches the file system asynchronously: hence a CommonJS
// wrapper, because the ES module loader itself already uses the pool.
process.env.UV_THREADPOOL_SIZE ??= '16';
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
