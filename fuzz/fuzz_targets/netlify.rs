#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keyway_shared::fuzzing::play("netlify", bytes));
