//! A small thread pool: persistent workers that spin a little, then sleep.
//!
//! * [`run`] gives part `i` of `n` to thread `i`, and to the caller what a thread has not begun when the
//!   caller's own part is done. If the pool is busy, or the call comes from inside a part, the caller does
//!   all of it alone: callers never wait for each other.
//! * [`meet`] is for parts that wait for each other: it has as many as there are threads at hand.
//! * Nothing starts before the first parallel call. After a fork the child builds its own pool.
//! * No sum is ever split, so results do not depend on the number of threads.

mod cpu;
mod meeting;
mod pool;
mod split;

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use self::meeting::{Barrier, meet};
use self::pool::Pool;
pub use self::split::{Downward, Lent, Split, Window, split};
use crate::error::{Error, Result};
use crate::setting::setting;

/// The most threads that can be asked for.
pub const MAX_THREADS: usize = 256;

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Threads that operators may use: `QRS_NUM_THREADS`, else `OMP_NUM_THREADS`, else the CPUs that
/// this process may run on.
#[must_use]
pub fn num_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => default_threads(),
        n => n,
    }
}

/// Sets [`num_threads`], 1 to [`MAX_THREADS`].
pub fn set_num_threads(n: usize) -> Result<()> {
    if (1..=MAX_THREADS).contains(&n) {
        THREADS.store(n, Ordering::Relaxed);
        return Ok(());
    }
    let message = format!("number of threads is {n}, expected 1 to {MAX_THREADS}");
    Err(Error::Value { op: "set_num_threads", message })
}

fn default_threads() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        // OpenMP's may be a list, whose first number is for the outermost parallel part.
        let others = || setting("OMP_NUM_THREADS")?.split(',').next().and_then(possible);
        let own = threads_of_environment().unwrap_or_default();
        own.or_else(others)
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    })
}

/// The number in `text`, if so many threads can be asked for.
fn possible(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|n| (1..=MAX_THREADS).contains(n))
}

/// What `QRS_NUM_THREADS` says, if it is set.
///
/// # Errors
/// If it is no number from 1 to [`MAX_THREADS`]; [`num_threads`] then goes by the other sources.
pub fn threads_of_environment() -> Result<Option<usize>> {
    const NAME: &str = "QRS_NUM_THREADS";
    let Some(text) = setting(NAME) else { return Ok(None) };
    if let Some(n) = possible(&text) {
        return Ok(Some(n));
    }
    let message =
        format!("`{text}` came, expected a number from 1 to {MAX_THREADS}; correct or unset it");
    Err(Error::Value { op: NAME, message })
}

/// Threads worth using for work that takes about `nanoseconds` alone. Waking a worker that sleeps costs up
/// to 30 us, in which the caller goes on alone.
#[must_use]
pub fn threads_for(nanoseconds: usize) -> usize {
    if nanoseconds < 20_000 { 1 } else { num_threads() }
}

/// Runs `part(i, n)` for `i` in `0..n` on `n` threads, where `n` is `threads`, or 1 if the pool is
/// busy. A part may run before or after another, so none may wait for another: see [`meet`].
pub fn run(threads: usize, part: impl Fn(usize, usize) + Sync) {
    if threads <= 1 {
        return part(0, 1);
    }
    let pool = Pool::of_this_process();
    let Ok(mut workers) = pool.workers.try_lock() else {
        return part(0, 1);
    };
    workers.grow(pool, threads - 1);
    let parts = workers.threads.len().min(threads - 1) + 1;
    pool.job(&mut workers.threads[..parts - 1], &|i| part(i, parts));
}

/// The share of `0..total` that part `i` of `n` does, in multiples of `unit`.
#[must_use]
pub fn share(total: usize, unit: usize, i: usize, n: usize) -> Range<usize> {
    let units = total.div_ceil(unit);
    let cut = |i: usize| (units * i / n * unit).min(total);
    cut(i)..cut(i + 1)
}

/// Returns when `waiting` is false. Offers the CPU every 16 us: the thread waited for may need it. At
/// 65 us an LSTM of 256 units took 17 times as long on two threads that had to share a CPU; at 2 us it
/// took 177 us instead of 55 on a busy machine, giving its turn away in every step.
fn spin_while(waiting: impl Fn() -> bool) {
    let mut spins = 0_u32;
    while waiting() {
        spins += 1;
        if spins.is_multiple_of(1024) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn every_part_runs_once() {
        for threads in [1, 2, 3, 8] {
            let counts: Vec<_> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..200 {
                run(threads, |i, n| {
                    for j in share(threads, 1, i, n) {
                        counts[j].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 200), "{threads} threads");
        }
    }

    #[test]
    fn a_nested_call_runs_alone() {
        let total = AtomicUsize::new(0);
        run(2, |_, outer| {
            run(2, |_, inner| {
                assert!(outer == 1 || inner == 1, "nested call got {inner} threads");
                total.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert!((1..=2).contains(&total.load(Ordering::Relaxed)));
    }

    #[test]
    fn a_panic_in_a_part_reaches_the_caller_and_the_pool_survives() {
        let caught = catch_unwind(|| run(2, |i, n| assert!(i + 1 < n, "part {i} of {n}")));
        assert!(caught.is_err());
        every_part_runs_once();
    }

    #[test]
    fn zero_threads_are_refused() {
        assert!(set_num_threads(0).is_err());
        assert!(set_num_threads(MAX_THREADS + 1).is_err());
    }

    #[test]
    fn numbers_of_threads_are_read_as_people_write_them() {
        assert_eq!([" 3", "256"].map(possible), [Some(3), Some(256)]);
        assert_eq!(["0", "257", "-1", "abc", "2.0", ""].map(possible), [None; 6]);
    }
}
