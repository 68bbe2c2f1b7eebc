//! Compressed responses as a tower layer: gzip, brotli and zstd.
