//! Builds the vendored libzmq and notes which wirelark is being measured.

use std::{env, fs};

/// What libzmq's own `configure` finds on Linux. The vendoring crate compiles with an empty
/// `platform.hpp`, and without these libzmq wakes its threads through a socket pair instead of an
/// `eventfd` and does not align its queues: a slower libzmq than anybody installs, and a
/// comparison that would flatter us.
const AS_CONFIGURED: &[&str] = &[
    "-DZMQ_HAVE_EVENTFD=1",
    "-DZMQ_HAVE_EVENTFD_CLOEXEC=1",
    "-DZMQ_HAVE_SOCK_CLOEXEC=1",
    "-DZMQ_HAVE_O_CLOEXEC=1",
    "-DHAVE_ACCEPT4=1",
    "-DHAVE_FORK=1",
    "-DHAVE_POSIX_MEMALIGN=1",
    "-DZMQ_CACHELINE_SIZE=64",
    "-DZMQ_HAVE_PPOLL=1",
    "-DZMQ_HAVE_SO_PEERCRED=1",
    "-DZMQ_HAVE_SO_KEEPALIVE=1",
    "-DZMQ_HAVE_TCP_KEEPCNT=1",
    "-DZMQ_HAVE_TCP_KEEPIDLE=1",
    "-DZMQ_HAVE_TCP_KEEPINTVL=1",
    // Warnings about somebody else's code, on every build of ours.
    "-w",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../Cargo.toml");

    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let mut flags = env::var("CXXFLAGS").unwrap_or_default();
        for flag in AS_CONFIGURED {
            flags.push(' ');
            flags.push_str(flag);
        }
        // SAFETY: a build script's main thread, before anything has started another one.
        unsafe { env::set_var("CXXFLAGS", flags) };
    }
    zeromq_src::Build::new().with_libsodium(libsodium()).build();

    println!(
        "cargo:rustc-env=COMPARE_WIRELARK_VERSION={}",
        wirelark_version()
    );
    println!(
        "cargo:rustc-env=COMPARE_OPT_LEVEL={}",
        env::var("OPT_LEVEL").unwrap_or_default()
    );
}

/// Where `libsodium-sys-stable` has built it, with the feature `curve`.
fn libsodium() -> Option<zeromq_src::LibLocation> {
    env::var_os("CARGO_FEATURE_CURVE")?;
    let lib = env::var_os("DEP_SODIUM_LIB")?;
    let include = env::var_os("DEP_SODIUM_INCLUDE")?;
    Some(zeromq_src::LibLocation::new(lib, include))
}

/// The version in the root manifest: the library itself exports no constant for it.
fn wirelark_version() -> String {
    let manifest = fs::read_to_string("../Cargo.toml").unwrap_or_default();
    manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "))
        .map_or_else(
            || "unknown".to_owned(),
            |version| version.trim_matches('"').to_owned(),
        )
}
