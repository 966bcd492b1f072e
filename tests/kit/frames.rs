//! ZMTP frames as bytes, written from the RFC and not by the library's own encoder.

/// A 3.1 greeting with this version and mechanism.
pub(crate) fn greeting(major: u8, minor: u8, mechanism: &str) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[0] = 0xff;
    bytes[8] = 1;
    bytes[9] = 0x7f;
    bytes[10] = major;
    bytes[11] = minor;
    bytes[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
    bytes
}

/// Flags, length in its shortest form, body.
fn encode(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(length) => bytes.extend([flags, length]),
        Err(_) => {
            bytes.push(flags | 2);
            bytes.extend((body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(body);
    bytes
}

/// The last or only frame of a message.
pub(crate) fn last(body: impl AsRef<[u8]>) -> Vec<u8> {
    encode(0, body.as_ref())
}

/// A frame that others follow.
pub(crate) fn more(body: impl AsRef<[u8]>) -> Vec<u8> {
    encode(1, body.as_ref())
}

/// A whole message.
pub(crate) fn message<const N: usize>(bodies: [&str; N]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        bytes.extend(encode(u8::from(index + 1 < N), body.as_bytes()));
    }
    bytes
}

/// The flags and the 8-byte length of a long frame whose body is somebody else's business.
pub(crate) fn long_header(flags: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![flags | 2];
    bytes.extend(length.to_be_bytes());
    bytes
}

/// A command of this name.
pub(crate) fn command(name: &str, data: impl AsRef<[u8]>) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend(name.as_bytes());
    body.extend(data.as_ref());
    encode(4, &body)
}

/// READY with these properties.
pub(crate) fn ready(properties: &[(&str, &str)]) -> Vec<u8> {
    let mut data = Vec::new();
    for (name, value) in properties {
        data.push(name.len() as u8);
        data.extend(name.as_bytes());
        data.extend((value.len() as u32).to_be_bytes());
        data.extend(value.as_bytes());
    }
    command("READY", data)
}

/// ERROR with this reason.
pub(crate) fn error(reason: &str) -> Vec<u8> {
    let mut data = vec![reason.len() as u8];
    data.extend(reason.as_bytes());
    command("ERROR", data)
}

/// PING with a time to live of zero.
pub(crate) fn ping(context: &[u8]) -> Vec<u8> {
    let mut data = vec![0, 0];
    data.extend(context);
    command("PING", data)
}
