#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hmac_auth_fuzz::signature::run(data));
