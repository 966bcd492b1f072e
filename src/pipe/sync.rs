//! Locks and atomics under pipes and patterns: std's, or loom's when the models run.
//!
//! A poisoned lock is used as it is: no code that runs under one of these locks leaves its data
//! half changed when it panics, and a panic in one task must not spread to all others.

#[cfg(not(pipe_loom))]
pub(crate) use std::sync::{
    Arc, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

#[cfg(pipe_loom)]
pub(crate) use loom::sync::{
    MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
#[cfg(pipe_loom)]
pub(crate) use std::sync::Arc;

/// A mutual exclusion lock without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    #[cfg(not(pipe_loom))]
    inner: std::sync::Mutex<T>,
    #[cfg(pipe_loom)]
    inner: loom::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        #[cfg(not(pipe_loom))]
        let inner = std::sync::Mutex::new(value);
        #[cfg(pipe_loom)]
        let inner = loom::sync::Mutex::new(value);
        Self { inner }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.inner.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}
