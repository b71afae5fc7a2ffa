//! `http_client` of `src/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rpc_fuzz::run("http_client", bytes));
