//! A small thread pool: persistent workers that spin a little, then sleep.
//!
//! * [`run`] gives part `i` of `n` to thread `i`. If the pool is busy, or the call comes from inside
//!   a part, the caller does all of it alone: callers never wait for each other.
//! * Nothing starts before the first parallel call. After a fork the child builds its own pool.
//! * No sum is ever split, so results do not depend on the number of threads.

use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A worker spins this long for the next job before it sleeps: waking one costs 5 to 12 us.
const SPIN: Duration = Duration::from_micros(30);

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
        let named = |name| std::env::var(name).ok()?.trim().parse::<usize>().ok();
        named("QRS_NUM_THREADS")
            .or_else(|| named("OMP_NUM_THREADS"))
            .filter(|n| (1..=MAX_THREADS).contains(n))
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    })
}

/// Threads worth using for work that takes about `nanoseconds` alone: a fork and join costs up to
/// 12 us when the workers sleep.
#[must_use]
pub fn threads_for(nanoseconds: usize) -> usize {
    if nanoseconds < 20_000 { 1 } else { num_threads() }
}

/// Runs `part(i, n)` for `i` in `0..n` on `n` threads, where `n` is `threads`, or 1 if the pool is
/// busy. All parts run at the same time, so parts may wait for each other.
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
    pool.job(&workers.threads[..parts - 1], &|i| part(i, parts));
}

/// The share of `0..total` that part `i` of `n` does, in multiples of `unit`.
#[must_use]
pub fn share(total: usize, unit: usize, i: usize, n: usize) -> Range<usize> {
    let units = total.div_ceil(unit);
    let cut = |i: usize| (units * i / n * unit).min(total);
    cut(i)..cut(i + 1)
}

type Job<'a> = &'a (dyn Fn(usize) + Sync + 'a);

struct Pool {
    process: u32,
    workers: Mutex<Workers>,
    /// Number of the job times 256, plus the workers that take part: one word, so that a worker that
    /// wakes late cannot mix two jobs. A worker starts when it changes.
    generation: AtomicU64,
    job: UnsafeCell<Option<Job<'static>>>,
    running: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written only by the holder of `workers` while no worker runs (`running` is 0), and
// read by workers only between the release of `generation` and their decrement of `running`.
#[expect(unsafe_code, reason = "the pool hands one borrowed job to its workers")]
unsafe impl Sync for Pool {}

#[derive(Default)]
struct Workers {
    threads: Vec<Worker>,
}

struct Worker {
    thread: Thread,
    asleep: &'static AtomicBool,
}

impl Workers {
    /// Starts workers until there are `count`, or as many as the system allows.
    fn grow(&mut self, pool: &'static Pool, count: usize) {
        while self.threads.len() < count.min(MAX_THREADS - 1) {
            let index = self.threads.len() + 1;
            let asleep: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
            let seen = pool.generation.load(Ordering::Acquire);
            let started = std::thread::Builder::new()
                .name(format!("qrs-{index}"))
                .spawn(move || pool.work(index, asleep, seen));
            let Ok(handle) = started else { return };
            self.threads.push(Worker { thread: handle.thread().clone(), asleep });
        }
    }
}

impl Pool {
    /// The pool of this process: a forked child has none of its parent's threads and gets a new one.
    fn of_this_process() -> &'static Self {
        static POOL: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());
        let process = std::process::id();
        let current = POOL.load(Ordering::Acquire);
        #[expect(unsafe_code, reason = "the pool is leaked on purpose: its workers refer to it")]
        // SAFETY: the pointer is null or came from `Box::leak` below and is never freed.
        if let Some(pool) = unsafe { current.as_ref() }
            && pool.process == process
        {
            return pool;
        }
        let fresh: &'static Self = Box::leak(Box::new(Self {
            process,
            workers: Mutex::default(),
            generation: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            running: AtomicUsize::new(0),
            panic: Mutex::default(),
        }));
        let stored = std::ptr::from_ref(fresh).cast_mut();
        match POOL.compare_exchange(current, stored, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            #[expect(unsafe_code, reason = "see above")]
            // SAFETY: another thread stored its leaked pool first; as above.
            Err(other) => unsafe { &*other },
        }
    }

    /// Runs `part(0)` here and `part(1..)` on `workers`, and returns when all are done.
    fn job(&self, workers: &[Worker], part: Job<'_>) {
        #[expect(unsafe_code, reason = "the job is borrowed for the time of this call only")]
        // SAFETY: the caller holds `workers` and `running` is 0, so no worker reads `job`. The
        // lifetime is extended only until `Finish` has seen every worker done, before `part` ends.
        unsafe {
            *self.job.get() = Some(std::mem::transmute::<Job<'_>, Job<'static>>(part));
        }
        self.running.store(workers.len(), Ordering::Relaxed);
        let number = self.generation.load(Ordering::Relaxed) / 256 + 1;
        self.generation.store(number * 256 + workers.len() as u64, Ordering::SeqCst);
        for worker in workers {
            if worker.asleep.load(Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
        let finish = Finish(self);
        part(0);
        drop(finish);
        let panic = self.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// A worker's life.
    fn work(&self, index: usize, asleep: &AtomicBool, mut seen: u64) {
        loop {
            self.wait(asleep, seen);
            seen = self.generation.load(Ordering::Acquire);
            if index as u64 > seen % 256 {
                continue;
            }
            #[expect(unsafe_code, reason = "reads the job that `job` published")]
            // SAFETY: `generation` was released after the write, and the writer waits for this
            // worker's decrement of `running` before it writes again.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(index)))
            {
                let mut slot = self.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *slot = Some(panic);
            }
            self.running.fetch_sub(1, Ordering::Release);
        }
    }

    /// Returns when the generation is no longer `seen`.
    fn wait(&self, asleep: &AtomicBool, seen: u64) {
        let start = Instant::now();
        while start.elapsed() < SPIN {
            for _ in 0..64 {
                if self.generation.load(Ordering::Acquire) != seen {
                    return;
                }
                std::hint::spin_loop();
            }
        }
        asleep.store(true, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) == seen {
            std::thread::park();
        }
        asleep.store(false, Ordering::SeqCst);
    }
}

/// Waits for the workers, even while the caller's own part unwinds: they borrow its job.
struct Finish<'a>(&'a Pool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        spin_while(|| self.0.running.load(Ordering::Acquire) != 0);
    }
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

/// A barrier for the parts of one [`run`]: spins, since all parts run at once.
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

/// How a matrix is divided between threads.
#[derive(Clone, Copy, Debug)]
pub enum Split {
    /// Whole rows, in multiples of the number.
    Rows(usize),
    /// Whole columns, in multiples of the number.
    Columns(usize),
}

/// One thread's part of a row-major matrix.
#[derive(Debug)]
pub struct Window<'a, T> {
    start: *mut T,
    stride: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    matrix: PhantomData<&'a mut [T]>,
}

impl<T> Window<'_, T> {
    /// The rows of this part.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns of this part.
    #[must_use]
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The part's columns of row `row` (counted in the whole matrix).
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        assert!(self.rows.contains(&row), "window: row {row} outside {:?}", self.rows);
        #[expect(unsafe_code, reason = "threads own disjoint columns of one matrix")]
        // SAFETY: `split` checked that the matrix holds every row of `stride` columns; the row is in
        // this window by the line above and the columns are its own, so no other thread's slice
        // overlaps this one.
        unsafe {
            let from = self.start.add(row * self.stride + self.columns.start);
            std::slice::from_raw_parts_mut(from, self.columns.len())
        }
    }

    /// The rows `rows`, one after the other, of a part that has all columns.
    #[inline(always)]
    pub fn whole_rows(&mut self, rows: Range<usize>) -> &mut [T] {
        let inside = self.rows.start <= rows.start && rows.end <= self.rows.end;
        assert!(inside && rows.start <= rows.end, "window: rows {rows:?} outside {:?}", self.rows);
        assert!(self.columns == (0..self.stride), "window: columns {:?} only", self.columns);
        #[expect(unsafe_code, reason = "threads own disjoint rows of one matrix")]
        // SAFETY: `split` checked that the matrix holds every row of `stride` columns; the rows are in
        // this window by the lines above, with all their columns, so no other slice overlaps them.
        unsafe {
            let from = self.start.add(rows.start * self.stride);
            std::slice::from_raw_parts_mut(from, rows.len() * self.stride)
        }
    }
}

/// Divides the matrix `out` of `columns` columns between `threads` and runs `part` on each window.
pub fn split<T: Send>(
    out: &mut [T],
    columns: usize,
    threads: usize,
    how: Split,
    part: impl Fn(Window<'_, T>) + Sync,
) {
    let rows = out.len().checked_div(columns).unwrap_or(0);
    assert!(out.len() == rows * columns, "split: {} values, {rows} x {columns}", out.len());
    let start = AtomicPtr::new(out.as_mut_ptr());
    run(threads, |i, n| {
        let (rows, part_columns) = match how {
            Split::Rows(unit) => (share(rows, unit, i, n), 0..columns),
            Split::Columns(unit) => (0..rows, share(columns, unit, i, n)),
        };
        if !rows.is_empty() && !part_columns.is_empty() {
            part(Window {
                start: start.load(Ordering::Relaxed),
                stride: columns,
                rows,
                columns: part_columns,
                matrix: PhantomData,
            });
        }
    });
}

#[cfg(test)]
mod tests {
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
    fn windows_cover_the_matrix() {
        for how in [Split::Rows(2), Split::Columns(4)] {
            for threads in [1, 2, 3, 8] {
                let mut out = vec![0_u32; 7 * 13];
                split(&mut out, 13, threads, how, |mut window| {
                    for r in window.rows() {
                        window.row(r).iter_mut().for_each(|v| *v += 1);
                    }
                });
                assert!(out.iter().all(|&v| v == 1), "{how:?} {threads}");
            }
        }
    }

    #[test]
    fn the_barrier_holds_parts_together() {
        let barrier = Barrier::default();
        let count = AtomicUsize::new(0);
        run(3, |_, n| {
            for round in 1..=100 {
                count.fetch_add(1, Ordering::SeqCst);
                barrier.wait(n);
                assert_eq!(count.load(Ordering::SeqCst), round * n);
                barrier.wait(n);
            }
        });
    }

    #[test]
    fn zero_threads_are_refused() {
        assert!(set_num_threads(0).is_err());
        assert!(set_num_threads(MAX_THREADS + 1).is_err());
    }
}
