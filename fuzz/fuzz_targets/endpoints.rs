//! Whatever is an endpoint is the same endpoint when it is written down and read again.
#![no_main]

use wirelark::Endpoint;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let again: Endpoint = endpoint.to_string().parse().unwrap();
        assert_eq!(again, endpoint);
    }
});
