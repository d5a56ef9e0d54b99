//! The workers: they spin a little for the next job, then sleep.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{MAX_THREADS, cpu, spin_while};

/// A worker spins this long for the next job before it sleeps. Waking one costs 5 to 30 us, and layers of
/// a network have Python and small operators between them: with 30 us `MobileNetV2` took 1.28 times as long.
const SPIN: Duration = Duration::from_micros(300);

pub(super) type Job<'a> = &'a (dyn Fn(usize) + Sync + 'a);

pub(super) struct Pool {
    process: u32,
    pub(super) workers: Mutex<Workers>,
    /// Number of the job times 256, plus the workers that take part: one word, so that a worker that
    /// wakes late cannot mix two jobs. A worker starts when it changes.
    generation: AtomicU64,
    job: UnsafeCell<Option<Job<'static>>>,
    /// For each part the latest job of which somebody has taken it.
    taken: [AtomicU64; MAX_THREADS],
    /// Parts of the job that are not done.
    left: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written only by the holder of `workers` while no part is left to do (`left` is 0), and
// read by workers only between taking a part and the decrement of `left` for it.
#[expect(unsafe_code, reason = "the pool hands one borrowed job to its workers")]
unsafe impl Sync for Pool {}

#[derive(Default)]
pub(super) struct Workers {
    pub(super) threads: Vec<Worker>,
}

pub(super) struct Worker {
    handle: JoinHandle<()>,
    asleep: &'static AtomicBool,
    /// The CPU that it may not run on.
    kept_off: Option<usize>,
}

impl Worker {
    /// Wakes it if it sleeps, on another CPU than that of this thread.
    fn wake(&mut self) {
        if !self.asleep.load(Ordering::SeqCst) {
            return;
        }
        if let Some(here) = cpu::current().filter(|&here| self.kept_off != Some(here)) {
            cpu::keep_off(&self.handle, here);
            self.kept_off = Some(here);
        }
        self.handle.thread().unpark();
    }
}

impl Workers {
    /// Starts workers until there are `count`, or as many as the system allows.
    pub(super) fn grow(&mut self, pool: &'static Pool, count: usize) {
        while self.threads.len() < count.min(MAX_THREADS - 1) {
            let index = self.threads.len() + 1;
            let asleep: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
            let seen = pool.generation.load(Ordering::Acquire);
            let started = std::thread::Builder::new()
                .name(format!("qrs-{index}"))
                .spawn(move || pool.work(index, asleep, seen));
            let Ok(handle) = started else { return };
            self.threads.push(Worker { handle, asleep, kept_off: None });
        }
    }
}

impl Pool {
    fn new(process: u32) -> Self {
        Self {
            process,
            workers: Mutex::default(),
            generation: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            taken: [const { AtomicU64::new(0) }; MAX_THREADS],
            left: AtomicUsize::new(0),
            panic: Mutex::default(),
        }
    }

    /// The pool of this process: a forked child has none of its parent's threads and gets a new one.
    pub(super) fn of_this_process() -> &'static Self {
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
        let fresh: &'static Self = Box::leak(Box::new(Self::new(process)));
        let stored = std::ptr::from_ref(fresh).cast_mut();
        match POOL.compare_exchange(current, stored, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            #[expect(unsafe_code, reason = "see above")]
            // SAFETY: another thread stored its leaked pool first; as above.
            Err(other) => unsafe { &*other },
        }
    }

    /// Runs `part(0)` here and `part(1..)` on `workers`, or here what they have not begun by then, and
    /// returns when all are done.
    pub(super) fn job(&self, workers: &mut [Worker], part: Job<'_>) {
        #[expect(unsafe_code, reason = "the job is borrowed for the time of this call only")]
        // SAFETY: the caller holds `workers` and `left` is 0, so no worker reads `job`. The lifetime is
        // extended only until `Finish` has seen every part done, before `part` ends.
        unsafe {
            *self.job.get() = Some(std::mem::transmute::<Job<'_>, Job<'static>>(part));
        }
        self.left.store(workers.len(), Ordering::Relaxed);
        let number = self.generation.load(Ordering::Relaxed) / 256 + 1;
        let finish = Finish { pool: self, number, workers: workers.len() };
        self.generation.store(number * 256 + workers.len() as u64, Ordering::SeqCst);
        workers.iter_mut().for_each(Worker::wake);
        part(0);
        // A worker that has not begun may sleep on, or wait for a CPU that others use.
        while let Some(taken) = finish.take() {
            part(taken.part);
        }
        drop(finish);
        let panic = self.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Takes `part` of job `number`, unless somebody has. Who is so late that the job has ended gets
    /// none: every part of it was taken then.
    fn take(&self, number: u64, part: usize) -> Option<Taken<'_>> {
        let taken = &self.taken[part];
        let free = taken.load(Ordering::Relaxed) < number;
        (free && taken.fetch_max(number, Ordering::AcqRel) < number)
            .then(|| Taken { part, left: &self.left })
    }

    /// A worker's life.
    fn work(&self, index: usize, asleep: &AtomicBool, mut seen: u64) {
        loop {
            self.wait(asleep, seen);
            seen = self.generation.load(Ordering::Acquire);
            if index as u64 > seen % 256 {
                continue;
            }
            let Some(taken) = self.take(seen / 256, index) else { continue };
            #[expect(unsafe_code, reason = "reads the job that `job` published")]
            // SAFETY: `generation` was released after the write, and the writer waits for the end of
            // `taken` before it writes again.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(taken.part)))
            {
                let mut slot = self.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *slot = Some(panic);
            }
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

/// A part that this thread does alone; it is done when dropped.
struct Taken<'a> {
    part: usize,
    left: &'a AtomicUsize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.left.fetch_sub(1, Ordering::Release);
    }
}

/// Waits for the workers, even while the caller's own part unwinds: they borrow its job.
struct Finish<'a> {
    pool: &'a Pool,
    number: u64,
    workers: usize,
}

impl<'a> Finish<'a> {
    /// A part that nobody has taken.
    fn take(&self) -> Option<Taken<'a>> {
        (1..=self.workers).rev().find_map(|part| self.pool.take(self.number, part))
    }
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        // What is left of a job whose caller panics need not be done.
        while self.take().is_some() {}
        spin_while(|| self.pool.left.load(Ordering::Acquire) != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new(0)))
    }

    /// A worker that never comes.
    fn absent() -> Worker {
        let handle = std::thread::spawn(std::thread::park);
        Worker { handle, asleep: Box::leak(Box::default()), kept_off: None }
    }

    fn counts<const N: usize>() -> [AtomicUsize; N] {
        [const { AtomicUsize::new(0) }; N]
    }

    #[test]
    fn what_a_worker_has_not_begun_is_done_by_the_caller() {
        let (pool, done) = (pool(), counts::<3>());
        for _ in 0..100 {
            pool.job(&mut [absent(), absent()], &|i| _ = done[i].fetch_add(1, Ordering::Relaxed));
        }
        assert_eq!(done.map(AtomicUsize::into_inner), [100; 3]);
    }

    #[test]
    fn a_worker_that_comes_when_all_is_done_does_nothing() {
        let (pool, done) = (pool(), counts::<2>());
        let part = |i: usize| _ = done[i].fetch_add(1, Ordering::Relaxed);
        pool.job(&mut [absent()], &part);
        let asleep: &'static AtomicBool = Box::leak(Box::default());
        let handle = std::thread::spawn(move || pool.work(1, asleep, 0));
        while !asleep.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        assert_eq!(done.each_ref().map(|d| d.load(Ordering::Relaxed)), [1; 2]);
        let mut worker = [Worker { handle, asleep, kept_off: None }];
        pool.job(&mut worker, &part);
        assert_eq!(done.map(AtomicUsize::into_inner), [2; 2]);
    }

    #[test]
    fn every_part_is_done_once_however_late_workers_are() {
        let pool = pool();
        let mut workers = pool.workers.lock().expect("nobody panics");
        workers.grow(pool, 3);
        let mut state = 1_u32;
        for round in 0..3000 {
            let done = counts::<4>();
            // From no work to more than it takes to fall asleep.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wait = |bits: u32| Duration::from_micros(u64::from(bits % 64));
            let start = Instant::now();
            while start.elapsed() < wait(state >> 26) {
                std::hint::spin_loop();
            }
            let parts = 1 + round % 3;
            pool.job(&mut workers.threads[..parts], &|i| {
                let start = Instant::now();
                while start.elapsed() < wait(state >> (5 * i)) / 4 {
                    std::hint::spin_loop();
                }
                done[i].fetch_add(1, Ordering::Relaxed);
            });
            let expected = std::array::from_fn(|i| usize::from(i <= parts));
            assert_eq!(done.map(AtomicUsize::into_inner), expected, "round {round}");
        }
    }

    #[test]
    fn a_caller_that_panics_leaves_no_part_behind() {
        let (pool, done) = (pool(), counts::<2>());
        let job = AssertUnwindSafe(|| pool.job(&mut [absent()], &|i| assert!(i > 0, "part 0")));
        assert!(catch_unwind(job).is_err(), "the panic reaches the caller");
        pool.job(&mut [absent()], &|i| _ = done[i].fetch_add(1, Ordering::Relaxed));
        assert_eq!(done.map(AtomicUsize::into_inner), [1; 2]);
    }
}
