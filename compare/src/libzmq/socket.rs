//! Safe handles on libzmq: a context, a socket, a message. No more than the roles need.
//!
//! Contexts are never terminated, and sockets only closed where that is what is measured: a worker
//! process ends with its round.

use std::ffi::{CStr, CString, c_int, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::slice;

use anyhow::{Context as _, Result, bail};

use super::ffi;

/// The version of the library that is linked, asked at run time.
pub fn version() -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three valid out-pointers.
    unsafe { ffi::zmq_version(&mut major, &mut minor, &mut patch) };
    format!("{major}.{minor}.{patch}")
}

/// One libzmq context with its default single I/O thread. May be shared by threads.
#[derive(Clone, Copy)]
pub struct Context(*mut c_void);

// SAFETY: zmq.h: "A 0MQ context is thread safe and may be shared".
unsafe impl Send for Context {}

impl Context {
    pub fn new() -> Result<Self> {
        // SAFETY: no arguments.
        let raw = unsafe { ffi::zmq_ctx_new() };
        if raw.is_null() {
            Err(last_error("zmq_ctx_new"))
        } else {
            Ok(Self(raw))
        }
    }

    /// A socket of the given kind with both high-water marks set before any bind or connect.
    pub fn socket(self, kind: c_int, high_water_mark: usize) -> Result<Socket> {
        // SAFETY: the context is never terminated.
        let raw = unsafe { ffi::zmq_socket(self.0, kind) };
        if raw.is_null() {
            return Err(last_error("zmq_socket"));
        }
        let socket = Socket {
            raw,
            _not_shared: PhantomData,
        };
        let mark = c_int::try_from(high_water_mark).context("high-water mark too large")?;
        socket.set_int(ffi::SNDHWM, mark)?;
        socket.set_int(ffi::RCVHWM, mark)?;
        Ok(socket)
    }
}

/// One libzmq socket, used from one thread (raw pointers keep it from being `Send`).
pub struct Socket {
    raw: *mut c_void,
    _not_shared: PhantomData<*mut c_void>,
}

impl Socket {
    /// Binds and returns the endpoint as libzmq resolved it.
    pub fn bind(&self, endpoint: &str) -> Result<String> {
        let text = CString::new(endpoint)?;
        // SAFETY: a live socket and a NUL-terminated string.
        if unsafe { ffi::zmq_bind(self.raw, text.as_ptr()) } != 0 {
            return Err(last_error("zmq_bind").context(endpoint.to_owned()));
        }
        let mut buffer = [0_u8; 512];
        let mut length = buffer.len();
        // SAFETY: `length` says how large the buffer is, libzmq writes no more than that.
        let code = unsafe {
            ffi::zmq_getsockopt(
                self.raw,
                ffi::LAST_ENDPOINT,
                buffer.as_mut_ptr().cast(),
                &mut length,
            )
        };
        if code != 0 {
            return Err(last_error("zmq_getsockopt"));
        }
        Ok(CStr::from_bytes_until_nul(&buffer)?.to_str()?.to_owned())
    }

    pub fn connect(&self, endpoint: &str) -> Result<()> {
        let text = CString::new(endpoint)?;
        // SAFETY: a live socket and a NUL-terminated string.
        if unsafe { ffi::zmq_connect(self.raw, text.as_ptr()) } != 0 {
            return Err(last_error("zmq_connect").context(endpoint.to_owned()));
        }
        Ok(())
    }

    /// Forwards both ways between this socket and another, until that fails.
    pub fn forward_to(&self, other: &Self) -> Result<()> {
        // SAFETY: two live sockets of this thread; no capture socket.
        unsafe { ffi::zmq_proxy(self.raw, other.raw, std::ptr::null_mut()) };
        Err(last_error("zmq_proxy"))
    }

    pub fn subscribe(&self, prefix: &[u8]) -> Result<()> {
        self.set(ffi::SUBSCRIBE, prefix)
    }

    pub fn close(self) -> Result<()> {
        // SAFETY: a live socket, which nobody can use any more.
        if unsafe { ffi::zmq_close(self.raw) } != 0 {
            return Err(last_error("zmq_close"));
        }
        Ok(())
    }

    /// Encrypts, as the side that is known by its key. Takes anybody in.
    pub fn be_curve_server(&self, secret: &str) -> Result<()> {
        self.set_int(ffi::CURVE_SERVER, 1)?;
        self.set(ffi::CURVE_SECRETKEY, secret.as_bytes())
    }

    /// Encrypts, as the side that knows the other's key.
    pub fn be_curve_client(&self, public: &str, secret: &str, server: &str) -> Result<()> {
        self.set(ffi::CURVE_PUBLICKEY, public.as_bytes())?;
        self.set(ffi::CURVE_SECRETKEY, secret.as_bytes())?;
        self.set(ffi::CURVE_SERVERKEY, server.as_bytes())
    }

    pub fn set_int(&self, option: c_int, value: c_int) -> Result<()> {
        self.set(option, &value.to_ne_bytes())
    }

    fn set(&self, option: c_int, value: &[u8]) -> Result<()> {
        // SAFETY: a live socket; pointer and length describe one slice.
        let code =
            unsafe { ffi::zmq_setsockopt(self.raw, option, value.as_ptr().cast(), value.len()) };
        if code != 0 {
            Err(last_error("zmq_setsockopt"))
        } else {
            Ok(())
        }
    }

    /// Sends a fresh copy of `payload`, waiting while the queue is full.
    pub fn send_copy(&self, payload: &[u8]) -> Result<()> {
        let mut raw = MaybeUninit::<ffi::RawMessage>::uninit();
        // SAFETY: the message is initialised with room for the payload before it is written to.
        unsafe {
            if ffi::zmq_msg_init_size(raw.as_mut_ptr(), payload.len()) != 0 {
                return Err(last_error("zmq_msg_init_size"));
            }
            let data = ffi::zmq_msg_data(raw.as_mut_ptr()).cast::<u8>();
            data.copy_from_nonoverlapping(payload.as_ptr(), payload.len());
        }
        loop {
            // SAFETY: initialised above; libzmq takes the content over on success only.
            if unsafe { ffi::zmq_msg_send(raw.as_mut_ptr(), self.raw, 0) } >= 0 {
                return Ok(());
            }
            if !interrupted() {
                return Err(last_error("zmq_msg_send"));
            }
        }
    }

    /// Sends the message itself and leaves it empty, waiting while the queue is full.
    pub fn send(&self, message: &mut Message) -> Result<()> {
        self.send_part(message, 0)
    }

    /// As [`Socket::send`], a part that others follow.
    pub fn send_more(&self, message: &mut Message) -> Result<()> {
        self.send_part(message, ffi::SNDMORE)
    }

    fn send_part(&self, message: &mut Message, flags: c_int) -> Result<()> {
        loop {
            // SAFETY: an initialised message; after success it is an empty, still valid one.
            if unsafe { ffi::zmq_msg_send(&mut message.0, self.raw, flags) } >= 0 {
                return Ok(());
            }
            if !interrupted() {
                return Err(last_error("zmq_msg_send"));
            }
        }
    }

    /// Waits for a message and receives it in place of what `message` held.
    pub fn recv(&self, message: &mut Message) -> Result<()> {
        loop {
            // SAFETY: an initialised message, whose old content libzmq releases.
            if unsafe { ffi::zmq_msg_recv(&mut message.0, self.raw, 0) } >= 0 {
                return Ok(());
            }
            if !interrupted() {
                return Err(last_error("zmq_msg_recv"));
            }
        }
    }

    /// As [`Socket::recv`], but `false` at once when there is nothing to receive.
    pub fn try_recv(&self, message: &mut Message) -> Result<bool> {
        loop {
            // SAFETY: as in `recv`.
            if unsafe { ffi::zmq_msg_recv(&mut message.0, self.raw, ffi::DONTWAIT) } >= 0 {
                return Ok(true);
            }
            // SAFETY: no arguments.
            match unsafe { ffi::zmq_errno() } {
                libc::EAGAIN => return Ok(false),
                libc::EINTR => {}
                _ => return Err(last_error("zmq_msg_recv")),
            }
        }
    }
}

/// A received message, reused from one `recv` to the next as a C program would.
pub struct Message(ffi::RawMessage);

impl Message {
    pub fn new() -> Self {
        let mut raw = MaybeUninit::<ffi::RawMessage>::uninit();
        // SAFETY: `zmq_msg_init` initialises the whole message and cannot fail.
        unsafe {
            ffi::zmq_msg_init(raw.as_mut_ptr());
            Self(raw.assume_init())
        }
    }

    pub fn bytes(&mut self) -> &[u8] {
        // SAFETY: data and size describe one buffer that lives until the next call that needs
        // `&mut self`.
        unsafe {
            let data = ffi::zmq_msg_data(&mut self.0).cast::<u8>();
            slice::from_raw_parts(data, ffi::zmq_msg_size(&self.0))
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: always initialised, closed once.
        unsafe { ffi::zmq_msg_close(&mut self.0) };
    }
}

/// Waits until at least one of many sockets can be read.
pub struct Poller {
    items: Vec<ffi::PollItem>,
}

impl Poller {
    pub fn new<'a>(sockets: impl IntoIterator<Item = &'a Socket>) -> Self {
        let items = sockets
            .into_iter()
            .map(|socket| ffi::PollItem {
                socket: socket.raw,
                fd: 0,
                events: ffi::POLLIN,
                revents: 0,
            })
            .collect();
        Self { items }
    }

    /// Waits, then tells for each socket, in order, whether it can be read.
    pub fn wait(&mut self) -> Result<impl Iterator<Item = bool>> {
        let count = c_int::try_from(self.items.len()).context("too many sockets")?;
        loop {
            // SAFETY: pointer and count describe one vector of live sockets.
            if unsafe { ffi::zmq_poll(self.items.as_mut_ptr(), count, -1) } >= 0 {
                return Ok(self
                    .items
                    .iter()
                    .map(|item| item.revents & ffi::POLLIN != 0));
            }
            if !interrupted() {
                bail!(last_error("zmq_poll"));
            }
        }
    }
}

fn interrupted() -> bool {
    // SAFETY: no arguments.
    unsafe { ffi::zmq_errno() == libc::EINTR }
}

fn last_error(function: &str) -> anyhow::Error {
    // SAFETY: `zmq_strerror` returns a static NUL-terminated string for every number.
    let reason = unsafe { CStr::from_ptr(ffi::zmq_strerror(ffi::zmq_errno())) };
    anyhow::anyhow!("{function}: {}", reason.to_string_lossy())
}
