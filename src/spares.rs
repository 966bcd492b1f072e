//! Buffers that are of no use any more, kept for their next use.
//!
//! A message is allocated on one thread and freed on another: threads wait for each other's allocator,
//! and the pages of a large one are given back to the system only to be asked for again. So what
//! carries bodies and batches comes back here, from wherever it is dropped, and whoever needs a
//! buffer looks here first. What is kept is bounded for the whole process.

use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// The capacities that are kept, as powers of two: from 2 KiB, below which allocating costs less than
/// looking, to less than 4 MiB.
const FIRST: u32 = 11;
const SHELVES: usize = 11;

/// Buffers smaller than this are sooner made anew.
#[cfg(test)]
const SMALLEST: usize = 1 << FIRST;

/// A copy shorter than this had better come from the allocator: to count who shares it, and to look here,
/// takes longer. But see [`Travels`].
const LONG: usize = 32 * 1024;

/// A copy shorter than this always comes from the allocator.
const SHORT: usize = 1 << FIRST;

/// What lies on one shelf at most, in bytes of the power of two that it is for: what a sender of long
/// bodies has under way before it gives way, and as much again at the other end.
const SHELF_BYTES: usize = 4 * 1024 * 1024;

/// So many buffers may lie on a shelf, however large they are.
const PLACES: usize = 4;

/// One for each power of two, up to the next.
static STORE: [Mutex<Shelf>; SHELVES] = [const { Mutex::new(Shelf::new()) }; SHELVES];

/// Buffers between one power of two and the next; the one that came last, and is likely to be in the
/// processor's caches, at the back.
type Shelf = VecDeque<Vec<u8>>;

/// The place of a capacity in the store, and the least capacity that has this place.
fn shelf(capacity: usize) -> Option<(&'static Mutex<Shelf>, usize)> {
    let power = capacity.checked_ilog2()?;
    let index = usize::try_from(power.checked_sub(FIRST)?).ok()?;
    Some((STORE.get(index)?, 1 << power))
}

/// An empty buffer that holds `wanted` bytes and at most an eighth more, if there is one.
pub(crate) fn take(wanted: usize) -> Option<Vec<u8>> {
    let fits = |spare: &Vec<u8>| (wanted..=most(wanted)).contains(&spare.capacity());
    let (shelf, _) = shelf(wanted)?;
    let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
    // Messages of one size leave buffers of one size: the first look is nearly always the last.
    let found = shelf.iter().rposition(fits)?;
    shelf.swap_remove_back(found)
}

/// The largest capacity that is used for so many bytes: what is queued is counted by its bytes.
pub(crate) const fn most(wanted: usize) -> usize {
    wanted.saturating_add(wanted / 8)
}

/// Keeps a buffer whose contents are of no use any more, if it is worth it, rather than the one that
/// nobody has wanted for the longest time.
pub(crate) fn give(mut buffer: Vec<u8>) {
    let Some((shelf, least)) = shelf(buffer.capacity()) else {
        return;
    };
    buffer.clear();
    let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
    let unwanted = keep(&mut shelf, buffer, (SHELF_BYTES / least).max(PLACES));
    // Freed with the shelf unlocked.
    drop(shelf);
    drop(unwanted);
}

/// Puts a buffer on a shelf for so many, and returns the one that had to go for it.
fn keep(shelf: &mut Shelf, buffer: Vec<u8>, places: usize) -> Option<Vec<u8>> {
    let is_full = shelf.len() >= places;
    let unwanted = is_full.then(|| shelf.pop_front()).flatten();
    shelf.push_back(buffer);
    unwanted
}

/// These bytes, to be shared without copying; their buffer comes back when nobody has any of them.
pub(crate) fn share(buffer: Vec<u8>) -> Bytes {
    if shelf(buffer.capacity()).is_some() {
        Bytes::from_owner(Lent {
            buffer,
            home: here(),
        })
    } else {
        Bytes::from(buffer)
    }
}

/// As [`share`], for a buffer that is to be kept for what is in it: one that is less than half full is sooner
/// copied than pinned, since what is queued is counted by its bytes.
pub(crate) fn share_filled(buffer: Vec<u8>) -> Bytes {
    if buffer.len() >= buffer.capacity() / 2 {
        return share(buffer);
    }
    let copy = copy(&buffer);
    give(buffer);
    copy
}

/// A copy, which comes back here if it is long, or if such copies are dropped on other threads than they are
/// made on.
pub(crate) fn copy(bytes: &[u8]) -> Bytes {
    if bytes.len() < LONG && !(bytes.len() >= SHORT && TRAVELS.is_expected()) {
        return Bytes::copy_from_slice(bytes);
    }
    let mut buffer = take(bytes.len()).unwrap_or_else(|| Vec::with_capacity(bytes.len()));
    buffer.extend_from_slice(bytes);
    share(buffer)
}

struct Lent {
    buffer: Vec<u8>,
    /// The thread that filled it.
    home: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        TRAVELS.note(self.home != here());
        give(std::mem::take(&mut self.buffer));
    }
}

/// A number that no other thread has while this one lives.
fn here() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    let place = PLACE.try_with(|place| ptr::from_ref(place).addr());
    place.unwrap_or_default()
}

/// What becomes of the copies of this process.
static TRAVELS: Travels = Travels::new();

/// Whether copies are dropped on other threads than they are made on. Then the allocator is slow for those of
/// medium length, too, while on one thread it is faster than a look here. The last one that
/// came back tells; as long as they stay at home, few come from here, only to tell.
#[derive(Debug)]
struct Travels {
    away: AtomicBool,
    asked: AtomicU32,
}

impl Travels {
    /// One of so many copies tells whether they still stay at home.
    const SAMPLE: u32 = 64;

    const fn new() -> Self {
        Self {
            away: AtomicBool::new(false),
            asked: AtomicU32::new(0),
        }
    }

    /// Whether the next one had better be one that comes back.
    fn is_expected(&self) -> bool {
        if self.away.load(Ordering::Relaxed) {
            return true;
        }
        // A lost update between two threads only shifts the beat.
        let asked = self.asked.load(Ordering::Relaxed).wrapping_add(1);
        self.asked.store(asked, Ordering::Relaxed);
        asked % Self::SAMPLE == 0
    }

    /// One has come back.
    fn note(&self, away: bool) {
        if self.away.load(Ordering::Relaxed) != away {
            self.away.store(away, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_the_last_part_of_it_is_dropped() {
        // A size of its own, since other tests use the store, too.
        const SIZE: usize = 33_333;
        let bytes = copy(&[7; SIZE]);
        let place = bytes.as_ptr();
        let part = bytes.slice(SIZE - 1..);
        drop(bytes);
        assert_eq!(part, [7][..]);
        drop(part);
        let again = take(SIZE).unwrap();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn a_few_bytes_do_not_pin_a_long_buffer() {
        // A size of its own, as above.
        const SIZE: usize = 43_210;
        for (filled, is_pinned) in [(SIZE / 4, false), (SIZE * 3 / 4, true)] {
            let mut buffer = Vec::with_capacity(SIZE);
            buffer.resize(filled, 7);
            let place = buffer.as_ptr();
            let bytes = share_filled(buffer);
            let spare = take(SIZE).filter(|spare| spare.as_ptr() == place);
            assert_eq!(spare.is_none(), is_pinned);
            assert_eq!(bytes, vec![7; filled]);
        }
    }

    #[test]
    fn copies_that_are_dropped_elsewhere_come_back() {
        let travels = Travels::new();
        let samples = || {
            let asked = 0..10 * Travels::SAMPLE;
            asked.filter(|_| travels.is_expected()).count()
        };
        assert_eq!(samples(), 10);
        travels.note(true);
        assert!(travels.is_expected() && travels.is_expected());
        travels.note(false);
        assert_eq!(samples(), 10);
    }

    #[test]
    fn every_thread_is_somewhere_else() {
        let home = here();
        assert_eq!(here(), home);
        assert_ne!(std::thread::spawn(here).join().unwrap(), home);
    }

    #[test]
    fn what_nobody_wants_makes_room() {
        let shelf = &mut Shelf::new();
        for capacity in [5000, 5000, 5000, 7000] {
            keep(shelf, Vec::with_capacity(capacity), 2);
        }
        let capacities: Vec<usize> = shelf.iter().map(Vec::capacity).collect();
        assert_eq!(capacities, [5000, 7000]);
    }

    #[test]
    fn keeps_little() {
        for power in 0..30 {
            for _ in 0..3 {
                give(Vec::with_capacity(1 << power));
            }
        }
        for _ in 0..2 * SHELF_BYTES / SMALLEST {
            give(Vec::with_capacity(SMALLEST));
        }
        for (index, shelf) in STORE.iter().enumerate() {
            let shelf = shelf.lock().unwrap();
            let least = SMALLEST << index;
            assert!(shelf.len() <= (SHELF_BYTES / least).max(PLACES));
            let fits = |spare: &Vec<u8>| {
                spare.is_empty() && (least..2 * least).contains(&spare.capacity())
            };
            assert!(shelf.iter().all(fits));
        }
    }
}
