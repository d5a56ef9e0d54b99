//! Parts that wait for each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{run, spin_while};

/// The caller waits this long for the others.
const PATIENCE: Duration = Duration::from_micros(60);

/// Runs `part(i, n)` for `i` in `0..n`, all at the same time, so that parts may wait for each other.
/// `n` is the number of threads, of at most `threads`, that are there after 60 us: one that
/// sleeps on, or waits for a CPU that others use, would hold up all.
pub fn meet(threads: usize, part: impl Fn(usize, usize) + Sync) {
    let meeting = Meeting::default();
    run(threads, |i, n| {
        if let Some((place, parts)) = meeting.place(i, n) {
            part(place, parts);
        }
    });
}

#[derive(Default)]
struct Meeting {
    /// Twice those who came beside the caller, and 1 once it is too late.
    came: AtomicUsize,
    /// Those who take part, 0 while that is open.
    parts: AtomicUsize,
}

impl Meeting {
    /// The place of part `i` of `n`, and the number of places; nothing for who comes too late. Part 0
    /// is the caller's, which waits for the others.
    fn place(&self, i: usize, n: usize) -> Option<(usize, usize)> {
        if i == 0 {
            let start = Instant::now();
            while self.came.load(Ordering::Relaxed) < 2 * (n - 1) && start.elapsed() < PATIENCE {
                std::hint::spin_loop();
            }
            let parts = self.came.fetch_or(1, Ordering::AcqRel) / 2 + 1;
            self.parts.store(parts, Ordering::Release);
            return Some((0, parts));
        }
        let came = self.came.fetch_add(2, Ordering::AcqRel);
        if came % 2 == 1 {
            return None;
        }
        spin_while(|| self.parts.load(Ordering::Acquire) == 0);
        Some((came / 2 + 1, self.parts.load(Ordering::Acquire)))
    }
}

/// A barrier for the parts of one [`meet`]: spins, since all parts run at once.
#[derive(Debug, Default)]
pub struct Barrier {
    arrived: AtomicUsize,
    round: AtomicUsize,
}

impl Barrier {
    /// Returns when `parts` threads have called it.
    pub fn wait(&self, parts: usize) {
        if parts <= 1 {
            return;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == parts {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        spin_while(|| self.round.load(Ordering::Acquire) == round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_waited_for_who_does_not_come() {
        let meeting = Meeting::default();
        assert_eq!(meeting.place(0, 3), Some((0, 1)));
        assert_eq!([meeting.place(2, 3), meeting.place(1, 3)], [None; 2]);
    }

    #[test]
    fn places_have_no_gaps() {
        for late in [0, 20, 200] {
            let meeting = Meeting::default();
            let come = |i: usize| {
                std::thread::sleep(Duration::from_micros(i as u64 * late));
                meeting.place(i, 4)
            };
            let mut found: Vec<_> = std::thread::scope(|scope| {
                let threads = [0, 1, 2, 3].map(|i| scope.spawn(move || come(i)));
                threads.into_iter().filter_map(|t| t.join().expect("no panic")).collect()
            });
            found.sort_unstable();
            let parts = found.len();
            let expected: Vec<_> = (0..parts).map(|i| (i, parts)).collect();
            assert_eq!(found, expected, "{late} us apart");
        }
    }

    #[test]
    fn the_barrier_holds_parts_together() {
        let barrier = Barrier::default();
        let count = AtomicUsize::new(0);
        meet(3, |_, n| {
            for round in 1..=100 {
                count.fetch_add(1, Ordering::SeqCst);
                barrier.wait(n);
                assert_eq!(count.load(Ordering::SeqCst), round * n);
                barrier.wait(n);
            }
        });
    }
}
