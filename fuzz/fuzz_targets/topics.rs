#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirelark::fuzzing::topics(data));
